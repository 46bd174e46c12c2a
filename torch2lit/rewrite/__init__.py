"""From a plan to source: names renamed, statements replaced, the module and the Trainer call written."""
