"""Lists that are looped over as the batches of a training: found, and written as loaders."""
