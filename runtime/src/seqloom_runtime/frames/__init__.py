"""Predicting the next frames of films: the fitted estimator's part without torch."""
