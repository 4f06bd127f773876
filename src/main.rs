fn main() {}
fn main() {}
fn main() {}
fn main() {}
fn main() {}
