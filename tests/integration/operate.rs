//! The page for operators: what it quotes is what the program says.

use std::{fs, path::Path};

fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn each_message_that_the_page_cures_is_one_that_the_program_has() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    sources(&root.join("src"), &mut code);
    // As it is said, not as it is written.
    let code = code.replace("\\\"", "\"");
    let page = fs::read_to_string(root.join("docs/operate.md")).unwrap();
    let (_, tables) = page.split_once("Each line that is worth a look").unwrap();
    let mut messages = 0;
    for row in tables.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---")) {
        let said = row.trim_start_matches("| ").split(" | ").next().unwrap();
        // Every other piece is in backquotes.
        for message in said.split('`').skip(1).step_by(2).filter(|message| message.contains(' ')) {
            messages += 1;
            for piece in message.split('…').filter(|piece| piece.len() > 2) {
                assert!(code.contains(piece), "{message}: there is no {piece:?} in src");
            }
        }
    }
    assert!(messages > 25, "{messages}");
}
