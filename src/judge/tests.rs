//! Tests of the tree of policies.
