"""What commands are told: options, inputs, devices, profiles and traces."""
