//! Reefloom: a knowledge graph that no server owns. ARCHITECTURE.md leads through the house.

// Floor 0
pub mod crypto;
pub mod model;

// Floor 1
pub mod batch;
pub mod block;
pub mod plan;

// Floor 2
pub mod dataset;

// Floor 3
pub mod blockstore;
pub mod graph;
pub mod network;

// Floor 4
pub mod execute;
pub mod language;
pub mod optimize;
pub mod results;
pub mod workspace;

// Floor 5
pub mod replication;

// Floor 6
pub mod engine;

// Floor 7
pub mod server;

// Floor 8
pub mod cli;
pub mod config;
pub mod telemetry;
