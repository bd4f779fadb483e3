//! The Engine API over its port: another client drives a node.

mod disk;
mod driving;
mod payloads;
mod port;
mod shapes;
mod support;
mod witness;
