//! Black-box tests: repository rules, end-to-end tests through the real clients, benches against peers.
