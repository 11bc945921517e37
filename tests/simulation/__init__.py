"""Whole coalitions of real nodes on a virtual clock, with every fault thrown at them that one seed draws."""
