"""Writing what pictures show: the fitted estimator's part without torch."""
