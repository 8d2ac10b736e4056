//! What must hold of whatever stands in a configuration file.

use std::sync::Arc;

use super::{
    Config, read,
    tree::{File, quoted},
};

/// A file is refused with a line for each problem, or it is read; what is printed of it is read as the same.
pub fn config(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match load(text) {
        Ok(config) => {
            let printed = config.to_toml();
            assert_eq!(load(&printed), Ok(config), "{printed}");
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(!problem.contains(char::is_control), "{}", quoted(&problem));
            }
        }
    }
}

fn load(text: &str) -> Result<Config, Vec<String>> {
    let file = Arc::new(File { name: "config.toml".into(), text: text.into() });
    let tree = file.parse().map_err(|problem| vec![problem])?;
    read::read(&tree)
}
