//! Who a client is. A node has no accounts yet: whoever reaches the port may do what the port may.

use super::failure::{Failure, UNAUTHORIZED};
use super::message::text_of;
use super::packstream::Entries;

/// Checks what a client says of itself in HELLO or LOGON. Names and passwords are taken and not looked
/// at; tokens, once there are any, are checked here.
///
/// A driver that was given nothing sends nothing.
pub fn admit(token: &Entries) -> Result<(), Failure> {
    match text_of(token, "scheme").as_deref() {
        None | Some("none" | "basic") => Ok(()),
        Some(other) => {
            let message = format!("the authentication scheme '{other}' is not supported; use none or basic");
            Err(Failure::new(UNAUTHORIZED, message))
        }
    }
}
