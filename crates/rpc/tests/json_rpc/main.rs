//! The methods and the server that serves them, asked as clients ask.

mod conformance;
mod lanes;
mod listening;
mod methods;
mod server;
mod support;
