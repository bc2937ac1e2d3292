"""Predicting for records with gaps at irregular times: the fitted estimator's part without torch."""
