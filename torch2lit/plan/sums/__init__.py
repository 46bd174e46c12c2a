"""What a script adds up over the batches of an epoch, where Lightning's `self.log` gives the same number."""
