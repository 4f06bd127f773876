//! The folder whose files LOAD CSV may read: whoever may ask questions may read all of them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use percent_encoding::percent_decode_str;

use crate::execute::FileOpener;

/// A folder that an operator of the node has named.
#[derive(Clone, Debug)]
pub struct CsvFolder {
    /// With no links in it, so that what lies below can be told from what does not.
    root: PathBuf,
}

impl CsvFolder {
    /// # Errors
    /// If it is no folder, or cannot be read.
    pub fn open(path: &Path) -> io::Result<CsvFolder> {
        let root = path.canonicalize()?;
        match root.is_dir() {
            true => Ok(CsvFolder { root }),
            false => Err(io::Error::new(io::ErrorKind::NotADirectory, "this is no folder")),
        }
    }

    /// Returns the path, from the folder, that an address means.
    fn relative(address: &str) -> Result<PathBuf, String> {
        let path = match address.split_once(':') {
            Some(("file", rest)) => {
                let path = rest.strip_prefix("//localhost/").or_else(|| rest.strip_prefix("///"));
                let path = path.or_else(|| rest.strip_prefix('/').filter(|path| !path.starts_with('/')));
                let path =
                    path.ok_or("a file's address is file:///PATH, its path from the folder --csv-dir")?;
                percent_decode_str(path).decode_utf8().map_err(|_| "its path is not UTF-8")?.into_owned()
            }
            Some((scheme, _)) if scheme.len() > 1 && scheme.bytes().all(|c| c.is_ascii_alphanumeric()) => {
                return Err(format!("files are read, not what is at {scheme} addresses"));
            }
            _ => address.trim_start_matches('/').to_owned(),
        };
        let path = PathBuf::from(path);
        match path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            true => Ok(path),
            false => Err("its path leads out of the folder --csv-dir".to_owned()),
        }
    }
}

impl FileOpener for CsvFolder {
    fn open(&self, address: &str) -> Result<Box<dyn Read + Send>, String> {
        let path = self.root.join(CsvFolder::relative(address)?);
        // What the system says of paths outside is nobody's business.
        let path = path.canonicalize().map_err(|_| "there is no such file below the folder --csv-dir")?;
        if !path.starts_with(&self.root) {
            return Err("there is no such file below the folder --csv-dir".to_owned());
        }
        if !path.is_file() {
            return Err("this is no file".to_owned());
        }
        Ok(Box::new(File::open(path).map_err(|error| error.to_string())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(folder: &CsvFolder, address: &str) -> Result<String, String> {
        let mut text = String::new();
        folder.open(address)?.read_to_string(&mut text).map_err(|error| error.to_string())?;
        Ok(text)
    }

    #[test]
    fn only_files_below_the_folder_are_opened() {
        let outside = tempfile::tempdir().unwrap();
        let root = outside.path().join("csv");
        std::fs::create_dir_all(root.join("in side")).unwrap();
        std::fs::write(root.join("a.csv"), "a").unwrap();
        std::fs::write(root.join("in side/b.csv"), "b").unwrap();
        std::fs::write(outside.path().join("secret.csv"), "secret").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(outside.path().join("secret.csv"), root.join("link.csv")).unwrap();
        let folder = CsvFolder::open(&root).unwrap();
        for (address, expected) in [
            ("file:///a.csv", "a"),
            ("file:/a.csv", "a"),
            ("file://localhost/a.csv", "a"),
            ("a.csv", "a"),
            ("/a.csv", "a"),
            ("./a.csv", "a"),
            ("file:///in%20side/b.csv", "b"),
            ("in side/b.csv", "b"),
        ] {
            assert_eq!(text(&folder, address).as_deref(), Ok(expected), "{address}");
        }
        let absolute = format!("file://{}", outside.path().join("secret.csv").display());
        for address in [
            "../secret.csv",
            "file:///../secret.csv",
            "file:///%2e%2e/secret.csv",
            "in side/../../secret.csv",
            "link.csv",
            absolute.as_str(),
            "file://host/a.csv",
            "file:///none.csv",
            "file:///in%20side",
            "file:///%ff.csv",
            "http://localhost/a.csv",
            "https://example.org/a.csv",
            "ftp://example.org/a.csv",
            "",
        ] {
            assert!(text(&folder, address).is_err(), "{address}");
        }
        assert!(CsvFolder::open(&root.join("a.csv")).is_err());
        assert!(CsvFolder::open(&root.join("none")).is_err());
    }
}
