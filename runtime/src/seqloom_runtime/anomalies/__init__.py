"""Scoring rows by how unlike the others they are: the fitted estimator's part without torch."""
