def run(seed): raise NotImplementedError
