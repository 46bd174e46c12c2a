"""Training loops in methods: an object's attributes become variables, its methods functions, and afterwards attributes and methods again."""
