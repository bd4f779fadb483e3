//! Sequencers and followers over an L1 behind real sockets.

mod backlog;
mod blobs_of_l1;
mod engine_api;
mod faults_of_l1;
mod forgetting;
mod forwarding;
mod in_flight;
mod kept;
mod kept_codes;
mod l1_log;
mod messages;
mod monitoring;
mod planning;
mod pool_attacks;
mod preflight;
mod profile;
mod promotion;
mod room;
mod round_trip;
mod several_l1;
mod shared_keys;
mod slow_l1;
mod start;
mod submission;
mod support;
