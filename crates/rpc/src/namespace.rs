//! Namespaces of method names.

/// Returns the part of a method name before the first underscore, or before the dot of
/// `rpc.discover`.
pub(crate) fn namespace_of(method: &str) -> &str {
    method.split_once(['_', '.']).map_or(method, |(namespace, _)| namespace)
}
