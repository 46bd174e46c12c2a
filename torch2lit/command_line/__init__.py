"""The command line of a converted script as a ``LightningCLI`` (``--lightning-cli``): read off the converted text, and written anew."""
