"""Predicting for numeric sequences, pictures and films: the fitted estimators' part without torch."""
