//! Guards the bytes of every encoder: a change here is a new format version (docs/block_format.md).

use super::fuzzing::Shelf;
use crate::block::BlockKind;
use crate::model::PermutationSet;

fn lines(shelf: &Shelf) -> Vec<String> {
    let line = |(id, kind)| match kind {
        BlockKind::ManifestPage => format!("page of section {} {id}", shelf.open(id, kind)[0]),
        kind => format!("{kind:?} {id}"),
    };
    shelf.order.iter().copied().map(line).collect()
}

/// A small run with all that a run can hold, block by block.
#[test]
fn blocks_do_not_drift() {
    let lines = lines(&Shelf::write(PermutationSet::default()));
    let golden = [
        "Manifest bafkr4ib3qzaihc5qz2nn5dtiw4cyjxsawrl4wukldp6ftfs2hxqtd75ta4",
        "page of section 1 bafkr4idqv6kotlug66poin2bjdutjhb24mnngzx62ndlpl2jmcmgkchtpi",
        "page of section 2 bafkr4ie7xrmykuenrd6dg7jwwfzcjyxd7enbnuvwx7zhfwjyxrhfxexiky",
        "page of section 3 bafkr4ibmbqyhmh576xhv5jrcdtfszplfprj7sjv4vgjv627ykribrvkfye",
        "page of section 4 bafkr4iauapbkadue6ewwknp56vnie3mzmcgf54vos5lp3rf46f4hgfpgbm",
        "page of section 5 bafkr4idhgp5x2iym7hpjgb6yszrpuetuddejes7gp5llxdakqrnlcmvq6y",
        "page of section 8 bafkr4idsksloeuba3fyjlm435ujc2a4kc3wqtzdpmyszphrx7o5dtw4xku",
        "page of section 9 bafkr4idmm4saj4yomx6gottghczusmsklth74qjsesxyncuvig3r54elee",
        "page of section 10 bafkr4igz5lvckgfnd4pc4mrgpnfngldaalzb7vucgu5i2zmozcn4hq5jma",
        "page of section 16 bafkr4icn5a3u4ebrks7753enyxew6ppanbast32w6ybvzh6amskl5qvela",
        "page of section 17 bafkr4ihfc27ztof2p2wfgxvb2oxpwmtu5wwvn5phqzk23lolmggvejrljm",
        "Dictionary bafkr4ifuezwbwjp7pnqxaqdquj2trrzka5dqdklizwaiwi76g2liohsz64",
        "Dictionary bafkr4iem6tkeoy6rciegfbg2l5bb5naoxodufoajcohtzlvw6ocovsl2s4",
        "Dictionary bafkr4iadae6ij4cb5vehfd2yqhm53sfsadbdt2igzlijq32572jkvymwoa",
        "Permutation bafkr4ibxm3gncgiiquxizrb7hxd2vv6wdlm5w5kkzmpgcakgmy3ijhaiki",
        "Permutation bafkr4ia4h6miho7i5d7y5f42eehk4zev42d2likczjt7nqumaebvwzire4",
        "Permutation bafkr4ifijost7curyrhgfa6ld5ag3ycpj4dqbhqj2l34pobvyfidpl734m",
        "Permutation bafkr4iajwkp5gjnw2ybhavnqi7b6rhi2qrjgrqpbjn22hsabkfv4iimdmi",
        "Edges bafkr4ig7p363hugos5ygqxco32pnjsj6skhocxai5hheq54usr5tdoheui",
        "Edges bafkr4ie4swb6fplglpf5wlj2rcxvjnge5n7q4q2tfjkgbwta743nv2lmmq",
        "Edges bafkr4iafgdpxr7egbtke5aurscn3hazhdfe67jo6as7kqpfxhuhepn6kui",
    ];
    assert_eq!(lines, golden, "{lines:#?}");
}

/// More orders are more pages and blocks, and another root; all else stays.
#[test]
fn optional_orders_do_not_drift() {
    let default = lines(&Shelf::write(PermutationSet::default()));
    let more: Vec<String> =
        lines(Shelf::written()).into_iter().filter(|line| !default.contains(line)).collect();
    let golden = [
        "Manifest bafkr4iahze7zcrgowhfao6rc3i7haszhs6vggqceiivj6xncgvgwsi2axm",
        "page of section 6 bafkr4ife7nt3xnngvm7khy5tfa2mbvlyx4sbjd5wnwq2nisgwejgxlnq2e",
        "page of section 7 bafkr4ib6vvowfgajvzebbtn46yawaqluczm6jlx3schey5d7wrp3xn4i7m",
        "Permutation bafkr4ig5cesyrbu2asbnp3r3pal5nbxdkjdbg2ihfrljcmhnoegf6hiwja",
        "Permutation bafkr4ifgkaz6ezhdqsjdqwzweuxamwo6emputixeubpwjk2baiwbfnf7gm",
    ];
    assert_eq!(more, golden, "{more:#?}");
}
