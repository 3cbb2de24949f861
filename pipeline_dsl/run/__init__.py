"""Carrying out a plan: phases in order, events, scores, contracts, and the folder that keeps it all."""
