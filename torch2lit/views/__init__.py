"""Ways to see a program: each makes a text that the mechanisms understand, and tells what they do of the raw one."""
