//! Sequencers and followers over an L1 behind real sockets.

mod blobs_of_l1;
mod engine_api;
mod faults_of_l1;
mod in_flight;
mod messages;
mod monitoring;
mod round_trip;
mod submission;
mod support;
