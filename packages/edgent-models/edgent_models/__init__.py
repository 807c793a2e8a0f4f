"""Networks and pictures that Edgent finds by their names where this package is installed; there is no code here."""
