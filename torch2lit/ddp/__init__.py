"""DistributedDataParallel of a raw script as Lightning's own strategy, where that is the same training."""
