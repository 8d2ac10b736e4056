//! What `make fuzz` feeds with whatever it can think of, and `make test` with what it has thought of so far: one
//! function for each text or byte stream that comes from outside, which panics if something does not hold.

pub use crate::{
    config::fuzzing::config,
    server::fuzzing::{frames, samples_query, stream_query},
};

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    type Target = fn(&[u8]);

    #[test]
    fn whatever_fuzzing_has_found_so_far_holds() {
        let targets: [(&str, Target); 4] =
            [("config", config), ("frames", frames), ("samples_query", samples_query), ("stream_query", stream_query)];
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        let sources = fs::read_dir(fuzz.join("fuzz_targets")).unwrap();
        let mut names: Vec<_> = sources.map(|source| source.unwrap().path().with_extension("")).collect();
        names.sort();
        assert!(names.iter().map(|name| name.file_name().unwrap()).eq(targets.map(|(name, _)| name)));
        for (name, target) in targets {
            let mut files = 0;
            for file in fs::read_dir(fuzz.join("corpus").join(name)).unwrap() {
                let file = file.unwrap().path();
                // What fails is told below this line.
                println!("{}", file.display());
                target(&fs::read(file).unwrap());
                files += 1;
            }
            assert!(files > 10, "{name}: the corpus is gone");
        }
    }
}
