//! What is known of each kind of provider, as dated data.
