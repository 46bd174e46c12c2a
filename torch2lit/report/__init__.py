"""The result for people, programs and reviews: pure functions of conversions."""
