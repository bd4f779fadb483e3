//! The Engine API over its port: a node that another client drives.

mod disk;
mod driving;
mod payloads;
mod port;
mod shapes;
mod support;
mod witness;
