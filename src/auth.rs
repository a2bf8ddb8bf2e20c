//! From a bearer token to the account that it speaks for.
