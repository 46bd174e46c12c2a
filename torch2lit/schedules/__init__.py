"""Learning rates that a script writes into its optimizer itself: as a schedule that gives the same rates."""
