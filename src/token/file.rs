//! The file that tokens are kept in.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use super::{TokenError, Tokens};

const HEAD: &str =
    "# Tokens of hostcast: name, scopes, date, and a hash that proves them. `hostcast token` writes this.\n";
/// No list of tokens is larger.
const LARGEST: u64 = 1 << 20;
/// Who may read it: its owner.
const MODE: u32 = 0o600;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct TokenFile<'a>(pub &'a Path);

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It cannot be read or written.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the kernel says.
        cause: io::Error,
    },
    /// It is not what `hostcast token` writes.
    #[error("{}:{line}: not a token, or its name is there twice", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The first line that is wrong.
        line: usize,
    },
    /// Others than its owner may read it.
    #[error("{}: others than its owner may use it (mode {mode:03o}): chmod 600 it", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// What was asked for cannot be done.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl TokenFile<'_> {
    /// Every token in it; none, where there is no file.
    pub fn read(self) -> Result<Tokens, TokenFileError> {
        let file = match File::open(self.0) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Tokens::default()),
            Err(cause) => return Err(self.io(cause)),
        };
        let mode = file.metadata().map_err(|cause| self.io(cause))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(TokenFileError::Open { path: self.0.to_owned(), mode });
        }
        let mut text = String::new();
        file.take(LARGEST).read_to_string(&mut text).map_err(|cause| self.io(cause))?;
        text.parse().map_err(|line| TokenFileError::Malformed { path: self.0.to_owned(), line })
    }

    /// Changes what is in it, as a whole: whoever reads it sees the old list or the new one. Who else changes it waits.
    pub fn change<T>(self, change: impl FnOnce(&mut Tokens) -> Result<T, TokenError>) -> Result<T, TokenFileError> {
        let folder = self.0.parent().unwrap_or(Path::new("/"));
        let io = |cause| self.io(cause);
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
        let lock = File::open(folder).map_err(io)?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|error| io(error.into()))?;
        let mut tokens = self.read()?;
        let result = change(&mut tokens)?;
        self.replace(&tokens).map_err(io)?;
        Ok(result)
    }

    fn replace(self, tokens: &Tokens) -> io::Result<()> {
        let mut name = self.0.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = self.0.with_file_name(name);
        // One that is there was left behind: nobody else writes while we hold the lock.
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&new)?;
        // The daemon reads it, who may be somebody else than whoever runs this.
        let folder = self.0.parent().unwrap_or(Path::new("/"));
        let owner = fs::metadata(self.0).or_else(|_| fs::metadata(folder))?;
        let ours = file.metadata()?;
        if (owner.uid(), owner.gid()) != (ours.uid(), ours.gid()) {
            fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
        }
        file.write_all(format!("{HEAD}{tokens}").as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, self.0)?;
        File::open(folder)?.sync_all()
    }

    fn io(self, cause: io::Error) -> TokenFileError {
        TokenFileError::Io { path: self.0.to_owned(), cause }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, thread};

    use super::*;
    use crate::token::Scope;

    #[test]
    fn changes_are_whole_private_and_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/tokens");
        let file = TokenFile(&path);
        assert_eq!(file.read().unwrap(), Tokens::default());
        thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || {
                    for number in 0..5 {
                        file.change(|tokens| tokens.add(&format!("t{thread}.{number}"), vec![Scope::Read])).unwrap();
                    }
                });
            }
        });
        assert_eq!(file.read().unwrap().iter().count(), 40);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        let error = file.change(|tokens| tokens.add("t0.0", vec![Scope::Read])).unwrap_err();
        assert!(error.to_string().starts_with("there is a token \"t0.0\" already"));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else is left there");
    }

    #[test]
    fn a_file_that_others_may_read_or_that_is_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        fs::write(&path, "PASSWORD=x\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let told = |error: TokenFileError| error.to_string().replace(folder.path().to_str().unwrap(), "DIR");
        let file = TokenFile(&path);
        let open = "DIR/tokens: others than its owner may use it (mode 640): chmod 600 it";
        assert_eq!(told(file.read().unwrap_err()), open);
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(told(file.read().unwrap_err()), "DIR/tokens:1: not a token, or its name is there twice");
        let refused = file.change(|tokens| tokens.revoke("x"));
        assert!(refused.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "PASSWORD=x\n");
    }
}
