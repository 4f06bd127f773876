//! Expressions over batches: compiled once a query, evaluated a column at a time.
