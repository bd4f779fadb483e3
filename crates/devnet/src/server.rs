//! The devnet's server, whose errors contain the flags of the command.

use crate::DevnetError;
pub use rpc::RunningServer;
use rpc::ServeError;

impl From<ServeError> for DevnetError {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Address { address, source } => {
                Self::Listen { address: address.to_string(), flag: "--port", source }
            }
            ServeError::Ipc { path, source } => {
                Self::Listen { address: path.display().to_string(), flag: "--ipc", source }
            }
            error @ ServeError::Namespace { flag, .. } => {
                Self::Flag { flag, reason: error.to_string() }
            }
            error @ ServeError::Origin(_) => {
                Self::Flag { flag: "--allow-origin", reason: error.to_string() }
            }
        }
    }
}
