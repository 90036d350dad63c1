"""The twin's posterior on people whose truth is known: coverage, agreement with NUTS, simulation-based calibration."""
