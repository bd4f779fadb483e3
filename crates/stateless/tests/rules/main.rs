//! Rules of headers, ancestors and sizes: the bound itself is accepted, and what is one beyond it
//! refused.

mod ancestors;
mod blob_gas;
mod fees;
mod fields;
mod header;
mod help;
mod refused;
mod size;
mod witness;
