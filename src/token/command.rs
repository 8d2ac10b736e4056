//! What `hostcast token` does, and says.

use std::path::Path;

use super::{TokenFile, TokenFileError};
use crate::cli::TokenCommand;

impl TokenCommand {
    /// Does it, and returns what to print.
    pub fn run(self, file: &Path) -> Result<String, TokenFileError> {
        let file = TokenFile(file);
        match self {
            Self::Add { name, scopes } => Ok(file.change(|tokens| tokens.add(&name, scopes))? + "\n"),
            Self::Revoke { name } => file.change(|tokens| tokens.revoke(&name)).map(|()| String::new()),
            Self::List => Ok(file.read()?.iter().fold(String::new(), |list, token| {
                let scopes = token.scopes().iter().map(|scope| scope.name()).collect::<Vec<_>>().join(",");
                let created = humantime::format_rfc3339_seconds(token.created());
                list + &format!("{}\t{scopes}\t{created}\n", token.name())
            })),
        }
    }
}
