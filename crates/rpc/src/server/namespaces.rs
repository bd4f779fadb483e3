//! Method namespaces, which each transport can restrict.

use super::ServeError;
use crate::{codes, namespace::namespace_of};
use jsonrpsee::{
    Extensions, IntoResponse as _, MethodResponse,
    core::server::MethodCallback,
    server::Methods,
    types::{ErrorObjectOwned, Params},
};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeSet, convert::Infallible, fmt, future::ready, str::FromStr, sync::Arc,
};

/// Namespace that every transport serves, so that clients can list the others.
const RPC: &str = "rpc";
/// Method that lists the served namespaces.
const MODULES: &str = "rpc_modules";
/// Method that returns the OpenRPC document of the served methods.
const DISCOVER: &str = "rpc.discover";
/// Version of every namespace in the response of [`MODULES`], as in geth.
const VERSION: &str = "1.0";

/// Set of namespaces that a transport serves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Namespaces {
    /// All namespaces of the node.
    #[default]
    All,
    /// Only the listed namespaces, and `rpc`.
    Listed(BTreeSet<String>),
}

impl Namespaces {
    /// Returns `true` if the method is in a served namespace.
    pub fn serves(&self, method: &str) -> bool {
        match self {
            Self::All => true,
            Self::Listed(names) => names.contains(namespace_of(method)),
        }
    }

    /// Methods of a transport: those of the served namespaces, `rpc_modules`, `rpc.discover`, and,
    /// for every other method, an error that names the flag excluding it.
    pub(super) fn select(&self, all: &Methods, flag: &'static str) -> Result<Methods, ServeError> {
        let known: BTreeSet<_> = all.method_names().map(namespace_of).collect();
        if let Self::Listed(names) = self
            && let Some(got) =
                names.iter().find(|name| !known.contains(name.as_str()) && *name != RPC)
        {
            let expected = known.into_iter().collect::<Vec<_>>().join(",");
            return Err(ServeError::Namespace { flag, got: got.clone(), expected });
        }
        let served: BTreeSet<_> =
            known.into_iter().filter(|name| self.serves(name)).chain([RPC]).collect();
        let mut methods = Methods::new();
        let mut add = |name, method| {
            let added = methods.verify_and_insert(name, method);
            debug_assert!(added.is_ok(), "{name} is registered twice");
        };
        let modules: Map<String, Value> =
            served.iter().map(|name| ((*name).to_owned(), json!(VERSION))).collect();
        add(MODULES, always(move |_| Ok(Value::Object(modules.clone()))));
        let is_served = |name: &str| all.method(name).is_some() && self.serves(name);
        let document = Arc::new(rpc_types::document(is_served));
        add(DISCOVER, always(move |_| Ok(Value::clone(&document))));
        let served: Arc<[String]> = served.into_iter().map(str::to_owned).collect();
        for name in all.method_names().filter(|name| ![MODULES, DISCOVER].contains(name)) {
            let Some(method) = all.method(name) else { continue };
            if self.serves(name) {
                add(name, method.clone());
                continue;
            }
            let served = Arc::clone(&served);
            add(name, always(move |_| Err(not_served(name, flag, &served))));
        }
        Ok(methods)
    }
}

/// Creates a method that answers without waiting.
fn always(
    answer: impl Fn(&Params<'_>) -> Result<Value, ErrorObjectOwned> + Send + Sync + 'static,
) -> MethodCallback {
    MethodCallback::Async(Arc::new(
        move |id, params: Params<'static>, _, limit, extensions: Extensions| {
            let answer = answer(&params).into_response();
            let answer = MethodResponse::response(id, answer, limit);
            Box::pin(ready(answer.with_extensions(extensions))) as _
        },
    ))
}

fn not_served(method: &str, flag: &str, served: &[String]) -> ErrorObjectOwned {
    let namespace = namespace_of(method);
    let message = format!(
        "{method} is not available: {flag} leaves the namespace {namespace} out, and serves {}",
        served.join(",")
    );
    let data = json!({ "got": namespace, "expected": served });
    ErrorObjectOwned::owned(codes::METHOD, message, Some(data))
}

impl FromStr for Namespaces {
    type Err = Infallible;

    /// Parses a comma-separated list, as geth and reth do: `all` means every namespace; `none` and
    /// an empty list mean only `rpc`.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let names: BTreeSet<String> =
            names.filter(|name| *name != "none").map(str::to_owned).collect();
        Ok(if names.contains("all") { Self::All } else { Self::Listed(names) })
    }
}

impl fmt::Display for Namespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Listed(names) if names.is_empty() => f.write_str("none"),
            Self::Listed(names) => {
                for (index, name) in names.iter().enumerate() {
                    write!(f, "{}{name}", if index == 0 { "" } else { "," })?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespace_list_round_trips() {
        for text in ["all", "none", "eth", "debug,eth,net"] {
            let read: Namespaces = text.parse().unwrap();
            assert_eq!(read.to_string(), text);
        }
        assert_eq!("eth, all".parse(), Ok(Namespaces::All));
        assert_eq!(" eth,,net ".parse::<Namespaces>().unwrap().to_string(), "eth,net");
    }
}
