"""Numbers over several cells, from measured accuracies alone."""
