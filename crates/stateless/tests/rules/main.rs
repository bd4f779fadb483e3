//! Rules for headers, ancestors and sizes: the bound itself is accepted, and one beyond it is
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
