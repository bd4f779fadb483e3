//! The npm packages that `package.json` pins: the Foundry tools, the compiler, solady, and
//! OpenZeppelin, which serves as a baseline for measurements of libraries.

use std::{
    env::consts,
    ffi::OsStr,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use crate::{Progress, SetupError, integrity::fingerprint, node::Npm};

/// Files that determine the installed packages.
const PINS: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// File with the fingerprint of the [`PINS`] that are installed. It is inside `node_modules`, so it
/// is deleted together with the packages.
const STAMP: &str = "node_modules/.enshrine-stamp";

/// Files that must exist besides the executables.
const OTHERS: [&str; 3] = [
    "node_modules/solc/soljson.js",
    "node_modules/solady/src",
    "node_modules/@openzeppelin/contracts/utils",
];

/// The executables of the Foundry tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binaries {
    pub(crate) forge: PathBuf,
    pub(crate) cast: PathBuf,
    pub(crate) anvil: PathBuf,
}

impl Binaries {
    /// Returns the paths where npm installs the executables for this platform, present or not.
    pub(crate) fn below(root: &Path) -> Result<Self, SetupError> {
        let (os, arch) = (consts::OS, consts::ARCH);
        let unsupported = || SetupError::UnsupportedPlatform { os, arch };
        let os = match os {
            "linux" => "linux",
            "macos" => "darwin",
            _ => return Err(unsupported()),
        };
        let arch = match arch {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            _ => return Err(unsupported()),
        };
        let scope = root.join("node_modules/@foundry-rs");
        let binary = |tool: &str| scope.join(format!("{tool}-{os}-{arch}/bin/{tool}"));
        Ok(Self { forge: binary("forge"), cast: binary("cast"), anvil: binary("anvil") })
    }

    /// Returns the first path of a complete installation that does not exist.
    fn first_missing(&self, root: &Path) -> Option<PathBuf> {
        [&self.forge, &self.cast, &self.anvil]
            .into_iter()
            .cloned()
            .chain(OTHERS.iter().map(|other| root.join(other)))
            .find(|path| !path.exists())
    }
}

/// Returns `true` if the packages are installed as the checkout pins them now.
pub(crate) fn in_place(root: &Path, binaries: &Binaries) -> Result<bool, SetupError> {
    let stamp = fs::read_to_string(root.join(STAMP)).unwrap_or_default();
    Ok(stamp == pins(root)? && binaries.first_missing(root).is_none())
}

/// Installs the packages. The caller holds the set-up lock.
pub(crate) fn install(
    root: &Path,
    binaries: &Binaries,
    search_path: &OsStr,
    progress: Progress<'_>,
) -> Result<(), SetupError> {
    let npm = Npm::find(search_path)?;
    progress("installing the npm packages (forge, cast, anvil, solc, solady; about 200 MB)");
    let pins = pins(root)?;
    let stamp = root.join(STAMP);
    match fs::remove_file(&stamp) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(SetupError::io("remove", stamp)(error));
        }
        _ => {}
    }
    // `npm ci` requires the packages of all platforms in the lockfile, but a registry may lack some
    // of them. `--no-save` keeps `npm install` from changing the lockfile for this platform.
    npm.run(root, &["install", "--no-save", "--loglevel=error"].map(OsStr::new))?;
    if let Some(path) = binaries.first_missing(root) {
        return Err(SetupError::PackageIncomplete { path });
    }
    fs::write(&stamp, pins).map_err(SetupError::io("write", stamp))?;
    progress("npm packages installed");
    Ok(())
}

/// Returns the fingerprint of the files that determine the installed packages.
fn pins(root: &Path) -> Result<String, SetupError> {
    let read = |name| {
        let path = root.join(name);
        fs::read(&path).map_err(SetupError::io("read", path))
    };
    Ok(fingerprint(&PINS.into_iter().map(read).collect::<Result<Vec<_>, _>>()?))
}
