//! Tokens: who may read, proved by a secret.
//!
//! A token is 256 random bits, so nobody can guess one, and a fast hash keeps it as well as a slow one would: argon2
//! defends secrets that people have made up, and its price would be paid for each request, wrong ones too. No key is
//! needed for the same reason. What is stored is the hash of a hash: a browser's cookie holds the one in between, so
//! that the cookie does not tell the token, and the file tells neither.

mod command;
mod file;

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sha2::{Digest as _, Sha256};

pub use self::file::{TokenFile, TokenFileError};

/// What begins every token, so that one can be told from other secrets, where it was left lying around.
const PREFIX: &str = "hostcast_";
const LONGEST_NAME: usize = 63;

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Samples: the dashboard, the stream, and the same by HTTP.
    Read,
    /// What the daemon says about itself and its subscribers.
    Status,
}

/// A token as it is stored: without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    name: String,
    /// In order, each once.
    scopes: Vec<Scope>,
    /// To the second.
    created: SystemTime,
    proof: Proof,
}

/// What only the holder of a token can show a hash of; names the token as well.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Proof([u8; 32]);

/// What a browser keeps: worth as much as the token, but for what tells it from the token.
#[derive(Clone, Copy)]
pub struct Session([u8; 32]);

/// All tokens, each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens(Vec<Token>);

/// Why there is no such token, or none can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The name cannot be stored.
    #[error("a token's name is 1 to {LONGEST_NAME} of a-z, A-Z, 0-9, \"_\", \".\" and \"-\"")]
    WrongName,
    /// The name is taken.
    #[error("there is a token \"{0}\" already: revoke it first, or choose another name")]
    Taken(String),
    /// There is none of this name.
    #[error("there is no token \"{0}\"")]
    Unknown(String),
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 2] = [Self::Read, Self::Status];

    /// The scope as it is typed and stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Status => "status",
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|scope| scope.name() == text).ok_or_else(|| "expected read or status".to_owned())
    }
}

impl Session {
    /// That of whoever shows this token.
    pub fn of_token(token: &str) -> Self {
        Self(digest(token.as_bytes()))
    }

    /// Reads what [`Display`](fmt::Display) writes. Anything else is a session of nobody, and takes as long to refuse.
    pub fn of_cookie(text: &str) -> Self {
        let mut bytes = [0; 32];
        let is_hex = text.len() == 64 && text.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c));
        for (index, byte) in bytes.iter_mut().enumerate().filter(|_| is_hex) {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).unwrap_or_default();
        }
        Self(bytes)
    }

    fn proof(self) -> Proof {
        Proof(digest(&self.0))
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    #[cfg(test)]
    tests::count_work();
    Sha256::digest(bytes).into()
}

impl Proof {
    /// Takes as long wherever they differ.
    fn is(self, other: Self) -> bool {
        #[cfg(test)]
        tests::count_work();
        self.0.iter().zip(&other.0).fold(0, |sum, (ours, theirs)| sum | (ours ^ theirs)) == 0
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof")
    }
}

impl Token {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it allows.
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// When it was made.
    pub fn created(&self) -> SystemTime {
        self.created
    }

    /// What tells it from every other.
    pub fn proof(&self) -> Proof {
        self.proof
    }
}

impl Tokens {
    /// The token whose holder this is. Each is looked at, so that the answer takes as long for everyone.
    pub fn holder(&self, session: Session) -> Option<&Token> {
        let shown = session.proof();
        self.0.iter().fold(None, |found, token| if token.proof.is(shown) { Some(token) } else { found })
    }

    /// Whether this token has not been revoked.
    pub fn has(&self, proof: Proof) -> bool {
        self.0.iter().any(|token| token.proof == proof)
    }

    /// Each token.
    pub fn iter(&self) -> impl Iterator<Item = &Token> {
        self.0.iter()
    }

    /// Makes a token and returns its secret, which is not kept.
    pub fn add(&mut self, name: &str, mut scopes: Vec<Scope>) -> Result<String, TokenError> {
        if !is_name(name) {
            return Err(TokenError::WrongName);
        }
        if self.iter().any(|token| token.name == name) {
            return Err(TokenError::Taken(name.to_owned()));
        }
        scopes.sort_unstable();
        scopes.dedup();
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).expect("the kernel gives random bytes: without them nothing here is safe");
        let text = format!("{PREFIX}{}", Session(secret));
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let created = UNIX_EPOCH + Duration::from_secs(seconds);
        self.0.push(Token { name: name.to_owned(), scopes, created, proof: Session::of_token(&text).proof() });
        Ok(text)
    }

    /// Forgets a token.
    pub fn revoke(&mut self, name: &str) -> Result<(), TokenError> {
        let index = self.iter().position(|token| token.name == name);
        self.0.remove(index.ok_or_else(|| TokenError::Unknown(name.to_owned()))?);
        Ok(())
    }
}

impl fmt::Display for Tokens {
    /// As they are stored: a line for each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for token in self.iter() {
            let scopes = token.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(",");
            let created = humantime::format_rfc3339_seconds(token.created);
            write!(f, "{} {scopes} {created} ", token.name)?;
            write_hex(&token.proof.0, f)?;
            writeln!(f)?;
        }
        Ok(())
    }
}

impl FromStr for Tokens {
    /// The number of the line that is wrong.
    type Err = usize;

    fn from_str(text: &str) -> Result<Self, usize> {
        let mut tokens = Vec::<Token>::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let token = parse_line(line).filter(|token| tokens.iter().all(|known| known.name != token.name));
            tokens.push(token.ok_or(index + 1)?);
        }
        Ok(Self(tokens))
    }
}

fn parse_line(line: &str) -> Option<Token> {
    let mut fields = line.split(' ');
    let name = fields.next().filter(|name| is_name(name))?.to_owned();
    let scopes = fields.next()?.split(',').map(|scope| scope.parse().ok()).collect::<Option<_>>()?;
    let created = humantime::parse_rfc3339(fields.next()?).ok()?;
    let proof = fields.next()?;
    let proof = Some(Session::of_cookie(proof)).filter(|parsed| parsed.to_string() == proof)?;
    fields.next().is_none().then_some(Token { name, scopes, created, proof: Proof(proof.0) })
}

fn is_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(is_allowed)
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// Hashes made and proofs compared, by this thread.
        static WORK: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn count_work() {
        WORK.with(|work| work.set(work.get() + 1));
    }

    #[test]
    fn a_wrong_secret_makes_as_much_work_as_a_right_one_wherever_it_differs() {
        let mut tokens = Tokens::default();
        let secrets: Vec<_> = ["a", "b", "c"].map(|name| tokens.add(name, vec![Scope::Read]).unwrap()).into();
        let work = |session: &dyn Fn() -> Session| {
            let before = WORK.get();
            tokens.holder(session());
            WORK.get() - before
        };
        let almost = format!("{}{}", &secrets[0][..72], if secrets[0].ends_with('0') { '1' } else { '0' });
        for token in secrets.iter().map(String::as_str).chain([&*almost, "hostcast_", "", "x"]) {
            assert_eq!(work(&|| Session::of_token(token)), 2 + 3, "two hashes, and each token is looked at: {token}");
            let cookie = Session::of_token(token).to_string();
            for cookie in [&*cookie, &cookie[..63], "", "x"] {
                assert_eq!(work(&|| Session::of_cookie(cookie)), 1 + 3, "{cookie}");
            }
        }
    }

    #[test]
    fn only_the_token_itself_and_its_session_prove_anything() {
        let mut tokens = Tokens::default();
        let wall = tokens.add("wall", vec![Scope::Read]).unwrap();
        let admin = tokens.add("admin", vec![Scope::Status, Scope::Read, Scope::Status]).unwrap();
        assert_ne!(wall, admin);
        assert!(wall.starts_with("hostcast_") && wall.len() == 73, "{wall}");
        let holder = |session| tokens.holder(session).map(Token::name);
        let session = Session::of_token(&wall);
        assert_eq!(holder(session), Some("wall"));
        assert_eq!(holder(Session::of_cookie(&session.to_string())), Some("wall"));
        assert_eq!(tokens.holder(Session::of_token(&admin)).unwrap().scopes(), Scope::ALL);
        // Neither of the hashes is a token, and the stored one is no session.
        let stored = tokens.to_string().lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
        for wrong in [&session.to_string(), &stored, "", &wall[..72], &wall.to_uppercase()] {
            assert_eq!(holder(Session::of_token(wrong)), None, "{wrong}");
        }
        for wrong in [&stored, &wall, "", &session.to_string().to_uppercase(), &"0".repeat(64), &"é".repeat(32)] {
            assert_eq!(holder(Session::of_cookie(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn a_name_stands_for_one_token() {
        let mut tokens = Tokens::default();
        tokens.add("wall", vec![Scope::Read]).unwrap();
        assert_eq!(tokens.add("wall", vec![Scope::Read]), Err(TokenError::Taken("wall".into())));
        for wrong in ["", "a b", "a\n", "é", &"x".repeat(64)] {
            assert_eq!(tokens.add(wrong, vec![Scope::Read]), Err(TokenError::WrongName));
        }
        assert_eq!(tokens.revoke("other"), Err(TokenError::Unknown("other".into())));
        tokens.revoke("wall").unwrap();
        assert_eq!(tokens, Tokens::default());
    }

    #[test]
    fn what_is_stored_reads_back_and_tells_no_secret() {
        let mut tokens = Tokens::default();
        let secret = tokens.add("wall", vec![Scope::Read]).unwrap();
        tokens.add("admin", vec![Scope::Read, Scope::Status]).unwrap();
        let text = tokens.to_string();
        assert_eq!(format!("# a comment\n\n{text}").parse(), Ok(tokens.clone()));
        let session = Session::of_token(&secret);
        for told in [text.clone(), format!("{tokens:?} {session:?}")] {
            assert!(!told.contains(&secret[PREFIX.len()..]) && !told.contains(&session.to_string()), "{told}");
        }
        for (wrong, line) in [
            (format!("{text}wall"), 3),
            (format!("{text}{text}"), 3),
            (text.replace("read ", "write "), 1),
            (text.replace(' ', "  "), 1),
            (text.to_uppercase(), 1),
        ] {
            assert_eq!(wrong.parse::<Tokens>(), Err(line), "{wrong}");
        }
    }
}
