"""Finding similar sequences: the fitted estimator's part without torch."""
