//! Addresses: which workspace, at which branch or commit, a URL means.

/// What a request is about; `None` is the default workspace, or the default branch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Address {
    pub workspace: Option<String>,
    pub at: Option<String>,
}

/// The name of the query parameter, and of the header, that may say the same as `@ref`.
pub(super) const BRANCH_PARAMETER: &str = "branch";
pub(super) const BRANCH_HEADER: &str = "reefloom-branch";

impl Address {
    /// Reads a decoded path segment, `name` or `name@ref`, with what the query string and a
    /// header say.
    ///
    /// # Errors
    /// Where two of them disagree, or a part is empty.
    pub fn new(
        segment: Option<&str>,
        parameter: Option<&str>,
        header: Option<&str>,
    ) -> Result<Address, String> {
        let (workspace, in_path) = match segment.map(|segment| segment.split_once('@').ok_or(segment)) {
            None => (None, None),
            Some(Ok((workspace, at))) => (Some(workspace), Some(at)),
            Some(Err(workspace)) => (Some(workspace), None),
        };
        if workspace == Some("") || in_path == Some("") {
            return Err("the address is /{workspace}@{ref}/..., and neither part may be empty".to_owned());
        }
        let said = [("path", in_path), ("?branch=", parameter), ("header Reefloom-Branch", header)];
        let mut known: Option<(&str, &str)> = None;
        for (place, at) in said {
            match (known, at) {
                (_, None) => {}
                (None, Some(at)) => known = Some((place, at)),
                (Some((_, other)), Some(at)) if other == at => {}
                (Some((first, other)), Some(at)) => {
                    return Err(format!("the {first} names '{other}' and the {place} '{at}'"));
                }
            }
        }
        Ok(Address { workspace: workspace.map(str::to_owned), at: known.map(|(_, at)| at.to_owned()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        segment: Option<&str>,
        parameter: Option<&str>,
        header: Option<&str>,
        expected: Option<(&str, &str)>,
    ) {
        let address = Address::new(segment, parameter, header)
            .ok()
            .map(|address| (address.workspace.unwrap_or_default(), address.at.unwrap_or_default()));
        let expected = expected.map(|(workspace, at)| (workspace.to_owned(), at.to_owned()));
        assert_eq!(address, expected, "{segment:?} {parameter:?} {header:?}");
    }

    #[test]
    fn parts_agree_or_are_refused() {
        check(None, None, None, Some(("", "")));
        check(Some("fleet"), None, None, Some(("fleet", "")));
        check(Some("fleet@fix/flags"), None, None, Some(("fleet", "fix/flags")));
        check(Some("fleet@commit:b123~2"), None, None, Some(("fleet", "commit:b123~2")));
        check(Some("fleet@a@b"), None, None, Some(("fleet", "a@b")));
        check(Some("fleet"), Some("draft"), Some("draft"), Some(("fleet", "draft")));
        check(None, Some("draft"), None, Some(("", "draft")));
        check(Some("fleet@main"), Some("main"), None, Some(("fleet", "main")));
        check(Some("fleet@main"), Some("draft"), None, None);
        check(Some("fleet"), Some("main"), Some("draft"), None);
        check(Some("fleet@"), None, None, None);
        check(Some("@main"), None, None, None);
    }
}
