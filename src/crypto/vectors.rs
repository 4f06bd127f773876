//! Published test vectors of all that this room stands on.

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, XChaCha20Poly1305};
use ed25519_dalek::{Verifier, VerifyingKey};
use sha2::{Digest, Sha512};

use super::{PublicKey, SecretKey, Signature, SignatureError};

fn hex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    hex(text).try_into().unwrap()
}

// Ed25519

struct Signed {
    key: &'static str,
    message: &'static str,
    signature: &'static str,
}

impl Signed {
    fn verify(&self) -> Result<(), SignatureError> {
        PublicKey(array(self.key)).verify(&hex(self.message), &Signature(array(self.signature)))
    }
}

/// RFC 8032, section 7.1.
#[test]
fn ed25519_signs_as_rfc_8032_does() {
    let abc = data_encoding::HEXLOWER.encode(&Sha512::digest(b"abc"));
    let cases = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
             5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
             18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
        (
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            &abc,
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589\
             09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
        ),
    ];
    for (seed, key, message, signature) in cases {
        let secret = SecretKey::from_seed(&array(seed));
        assert_eq!(secret.public(), PublicKey(array(key)));
        let signed = secret.sign(&hex(message));
        assert_eq!(signed, Signature(array(signature)));
        assert_eq!(secret.public().verify(&hex(message), &signed), Ok(()));
    }
}

/// Wycheproof, testvectors_v1/ed25519_test.json; the numbers are its tcIds.
#[test]
fn ed25519_verifies_as_wycheproof_says() {
    const KEY: &str = "7d4d0e7f6153a69b6242b522abbee685fda4420f8834b108c3bdae369ef549fa";
    const BOUND: &str = "100fdf47fb94f1536a4f7c3fda27383fa03375a8f527c537e6f1703c47f94f86";
    // (tcId, valid, key, message, R, S)
    let cases = [
        // Ordinary.
        (
            3,
            true,
            KEY,
            "54657374",
            "7c38e026f29e14aabd059a0f2db8b0cd783040609a8be684db12f82a27774ab0",
            "7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b30d",
        ),
        (
            9,
            true,
            KEY,
            "ffffffffffffffffffffffffffffffff",
            "5dbd7360e55aa38e855d6ad48c34bd35b7871628508906861a7c4776765ed7d1",
            "e13d910faabd689ec8618b78295c8ab8f0e19c8b4b43eb8685778499e943ae04",
        ),
        // Special values: 0, 1, the order of the group less one and itself, the field's prime.
        (10, false, KEY, "3f", ZERO, ZERO),
        (11, false, KEY, "3f", ZERO, ONE),
        (15, false, KEY, "3f", ONE, ZERO),
        (16, false, KEY, "3f", ONE, ONE),
        (18, false, KEY, "3f", ONE, ORDER),
        (20, false, KEY, "3f", ORDER, ZERO),
        (23, false, KEY, "3f", ORDER, ORDER),
        (25, false, KEY, "3f", PRIME, ZERO),
        (29, false, KEY, "3f", PRIME, PRIME),
        // R that is no point, R with all bits flipped.
        (
            61,
            false,
            KEY,
            "313233343030",
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "463a1908382e7eb7693acef9884f7cf931a215e0791876be22c631a59881fd0e",
        ),
        (
            62,
            false,
            KEY,
            "313233343030",
            "9a83eb6dbfd54a31fc1d3c580fc7b2fae4630ca8f0edf803873e433673d7e3d4",
            "0e94254586cb6188c5386c3febed477cb9a6cb29e3979adc4cb27cf5278fb70a",
        ),
        // S + L, S + 2L, S + 4L, S + 8L, S + 2^253, S + 2^254, S + 2^255, S + p.
        (63, false, KEY, "54657374", R3, "67654bce3832c2d76f8f6f5dafc08d9339d4eef676573336a5c51eb6f946b31d"),
        (64, false, KEY, "54657374", R3, "5439412b5395d42f462c67008eba6ca839d4eef676573336a5c51eb6f946b32d"),
        (65, false, KEY, "54657374", R3, "2ee12ce5875bf9dff26556464bae2ad239d4eef676573336a5c51eb6f946b34d"),
        (66, false, KEY, "54657374", R3, "e2300459f1e742404cd934d2c595a6253ad4eef676573336a5c51eb6f946b38d"),
        (67, false, KEY, "54657374", R3, "7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b32d"),
        (68, false, KEY, "54657374", R3, "7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b34d"),
        (69, false, KEY, "54657374", R3, "7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b38d"),
        (70, false, KEY, "54657374", R3, "679155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b38d"),
        // S just under and just above the bound.
        (
            84,
            true,
            BOUND,
            "124e583f8b8eca58bb29c271b41d36986bbc45541f8e51f9cb0133eca447601e",
            "dac119d6ca87fc59ae611c157048f4d4fc932a149dbe20ec6effd1436abf83ea",
            "05c7df0fef06147241259113909bc71bd3c53ba4464ffcad3c0968f2ffffff0f",
        ),
        (
            85,
            false,
            BOUND,
            "6a0bc2b0057cedfc0fa2e3f7f7d39279b30f454a69dfd1117c758d86b19d85e0",
            "0971f86d2c9c78582524a103cb9cf949522ae528f8054dc20107d999be673ff4",
            "e25ebf2f2928766b1248bec6e91697775f8446639ede46ad4df4053000000010",
        ),
    ];
    for (case, valid, key, message, r, s) in cases {
        let signature = Signature([array::<32>(r), array::<32>(s)].concat().try_into().unwrap());
        let verified = PublicKey(array(key)).verify(&hex(message), &signature);
        assert_eq!(verified.is_ok(), valid, "tcId {case}");
    }
}

const ZERO: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const ONE: &str = "0100000000000000000000000000000000000000000000000000000000000000";
const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
const PRIME: &str = "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";
/// R of tcId 3.
const R3: &str = "7c38e026f29e14aabd059a0f2db8b0cd783040609a8be684db12f82a27774ab0";

/// The first ten of the twelve cases of "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko, SSR 2020), from
/// cases.json of ed25519-speccheck: of these, strict verification takes number 3 alone.
#[test]
fn ed25519_verifies_strictly() {
    const SMALL: &str = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa";
    const LARGE: &str = "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43";
    const MIXED: &str = "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d";
    const OTHER: &str = "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623";
    let cases = [
        // 0 to 2: key, R, or both of small order.
        Signed {
            key: SMALL,
            message: "8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6",
            signature: "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a\
                        0000000000000000000000000000000000000000000000000000000000000000",
        },
        Signed {
            key: SMALL,
            message: "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
            signature: "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43\
                        a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
        },
        Signed {
            key: LARGE,
            message: "aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab",
            signature: "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa\
                        8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e",
        },
        // 3: of mixed order, but every equation holds.
        Signed {
            key: MIXED,
            message: "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
            signature: "9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f\
                        87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009",
        },
        // 4 and 5: only the equation multiplied by the cofactor holds.
        Signed {
            key: MIXED,
            message: "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
            signature: "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed512\
                        5ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09",
        },
        Signed {
            key: MIXED,
            message: "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
            signature: "21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7\
                        e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405",
        },
        // 6 and 7: S above the order of the group.
        Signed {
            key: OTHER,
            message: "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
            signature: "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e\
                        547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514",
        },
        Signed {
            key: OTHER,
            message: "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
            signature: "8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa1942\
                        7e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22",
        },
        // 8 and 9: R of small order, not in its canonical form.
        Signed {
            key: LARGE,
            message: "fdaebc429f4a735932a160da1301080c13280eea8bc280d1b392c6b9e6ba3a5a",
            signature: "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f\
                        454d370c8d9fc323a41450f8d513eafeb5b0697390c1e505a0d4ddc71f566607",
        },
        Signed {
            key: LARGE,
            message: "84b698d39be126ff55fe45079e6c8bf64a0d7db6994560b4e96b7021eb39c1a1",
            signature: "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f\
                        084d5b99c2a9463d9c8bd5026916996984eeec87ddf1d3be329006ace1b37b09",
        },
    ];
    let taken: Vec<usize> = (0..cases.len()).filter(|case| cases[*case].verify().is_ok()).collect();
    assert_eq!(taken, [3]);
}

/// Who may choose his own key must not choose one under which a signature holds for many messages.
#[test]
fn a_key_of_small_order_signs_nothing() {
    let keys = [
        // The eight points of small order.
        ONE,
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ZERO,
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        // Their other spellings.
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        PRIME,
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ];
    let forged: [u8; 64] = [array::<32>(ONE), array::<32>(ZERO)].concat().try_into().unwrap();
    let mut fooled = 0;
    for key in keys {
        for message in 0..64u8 {
            let lenient = VerifyingKey::from_bytes(&array(key)).is_ok_and(|key| {
                key.verify(&[message], &ed25519_dalek::Signature::from_bytes(&forged)).is_ok()
            });
            fooled += u32::from(lenient);
            assert_eq!(PublicKey(array(key)).verify(&[message], &Signature(forged)), Err(SignatureError));
        }
    }
    assert!(fooled > 100, "a lenient verifier takes the forgery: {fooled}");
}

// The cipher

/// RFC 8439, section 2.8.2: the cipher under the one with the longer nonce.
#[test]
fn chacha20_poly1305_is_that_of_rfc_8439() {
    let mut text = b"Ladies and Gentlemen of the class of '99: If I could offer you \
        only one tip for the future, sunscreen would be it."
        .to_vec();
    let cipher = ChaCha20Poly1305::new(
        &array("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f").into(),
    );
    let nonce = array("070000004041424344454647").into();
    let aad = hex("50515253c0c1c2c3c4c5c6c7");
    let tag = cipher.encrypt_inout_detached(&nonce, &aad, text.as_mut_slice().into()).unwrap();
    let expected = "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6\
                    3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36\
                    92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc\
                    3ff4def08e4b7a9de576d26586cec64b6116";
    assert_eq!(text, hex(expected));
    assert_eq!(tag[..], hex("1ae10b594f09e26a7e902ecbd0600691")[..]);
}

/// Wycheproof, testvectors_v1/xchacha20_poly1305_test.json; the numbers are its tcIds.
#[test]
fn xchacha20_poly1305_seals_as_wycheproof_says() {
    const EDGE_KEY: &str = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f";
    const SUMS_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const COUNTING: &str = "000102030405060708090a0b0c0d0e0f1011121314151617";
    // (tcId, key, nonce, associated data, text, ciphertext, tag)
    let cases = [
        (
            2,
            "ab1562faea9f47af3ae1c3d6d030e3af230255dff3df583ced6fbbcbf9d606a9",
            "6a5e0c4617e07091b605a4de2c02dde117de2ebd53b23497",
            "",
            "",
            "",
            "e2697ea6877aba39d9555a00e14db041",
        ),
        (
            5,
            "697c197c9e0023c8eee42ddf08c12c46718a436561b0c66d998c81879f7cb74c",
            "cd78f4533c94648feacd5aef0291b00b454ee3dcdb76dcc8",
            "6384f4714ff18c18",
            "e1",
            "b0",
            "e5e35f5332f91bdd2d28e59d68a0b141",
        ),
        (
            27,
            "924aafdb5b8a206b3e49aefe8944918cdcc8ccb5bb4b8c4ee81b847aa6fa52a0",
            "829cb09e40c2cc5f7648adc177e56ef53a58bfa16a859338",
            "a67a57310055b193",
            "68576b935acaab8b33ab62e3",
            "2345bfc502f9c62d64ad87f9",
            "6736f095a28b887238f80dc562eaa25c",
        ),
        // Ciphertexts of few ones or zeros.
        (
            140,
            EDGE_KEY,
            COUNTING,
            "00000000ffffffff00000000ffffffff",
            "60e28a8f76520dcfdaab792c6b20141866eda542283f6d267ccb7501b790395c",
            "00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff",
            "81682925f4f8a57392d2a9d4157f2c86",
        ),
        (
            143,
            EDGE_KEY,
            COUNTING,
            "ffffffff00000000ffffffff00000000",
            "9f1d757089adf230255486d394dfebe799125abdd7c092d983348afe486fc6a3",
            "ffffffff00000000ffffffff00000000ffffffff00000000ffffffff00000000",
            "93fe07aa08403068124e020ecb06a9f8",
        ),
        // Sums within Poly1305 that just carry over.
        (
            281,
            SUMS_KEY,
            "000102030405060708090a0b0c0d0e0f10111213019836bb",
            "ffffffff",
            "86b8fe53835f40ba8213ee0678482ee7cf0d979ec97b79b9c6b040814d34439fb2cd057eae46b25879b4fba028ecface",
            "3fa6c5d6bc5dfa21858853c17a5d57e461e7aea16d9879fbdf69956f75471a9561e7aea16d9879fbdf69956f75471a95",
            "98709e9422f937316819e76c0375e5b2",
        ),
        (
            289,
            SUMS_KEY,
            "000102030405060708090a0b0c0d0e0f10111213019836bb",
            "ffffffff",
            "189a048f42071517f4f14b49d2aa9095672f11ea89a32e245495edd3f3daf54d1aef830aee9ee5c5eb9156f296024c1c",
            "a1843f0a7d05af8cf36af68ed0bfe996c9c528d52d402e664d4c383dcba9ac47c9c528d52d402e664d4c383dcba9ac47",
            "0444508bd77eaa0cdd66f1454727288a",
        ),
    ];
    for (case, key, nonce, aad, text, ciphertext, tag) in cases {
        let cipher = XChaCha20Poly1305::new(&array(key).into());
        let mut buffer = hex(text);
        let sealed =
            cipher.encrypt_inout_detached(&array(nonce).into(), &hex(aad), buffer.as_mut_slice().into());
        assert_eq!(
            (buffer.as_slice(), &sealed.unwrap()[..]),
            (&hex(ciphertext)[..], &hex(tag)[..]),
            "{case}"
        );
        let opened = cipher.decrypt_inout_detached(
            &array(nonce).into(),
            &hex(aad),
            buffer.as_mut_slice().into(),
            &array(tag).into(),
        );
        assert!(opened.is_ok() && buffer == hex(text), "tcId {case}");
    }
}

/// Wycheproof, testvectors_v1/xchacha20_poly1305_test.json, tcIds 146 to 165: tags that are wrong in
/// few bits, or plainly.
#[test]
fn a_wrong_tag_opens_nothing() {
    let cipher = XChaCha20Poly1305::new(
        &array("202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f").into(),
    );
    let nonce = array("000102030405060708090a0b0c0d0e0f1011121314151617").into();
    let opens = |tag: &str| {
        let nothing: &mut [u8] = &mut [];
        cipher.decrypt_inout_detached(&nonce, &hex("000102"), nothing.into(), &array(tag).into()).is_ok()
    };
    assert!(opens("0518b3e73e52c3be2eaba76807b784e1"));
    for (case, tag) in [
        (146, "0418b3e73e52c3be2eaba76807b784e1"),
        (148, "8518b3e73e52c3be2eaba76807b784e1"),
        (150, "0518b3673e52c3be2eaba76807b784e1"),
        (153, "0518b3e73e52c33e2eaba76807b784e1"),
        (157, "0518b3e73e52c3be2eaba76806b784e1"),
        (162, "0518b3e73e52c3be2eaba76807b78461"),
        (163, "0518b3e73e52c33e2eaba76807b78461"),
        (164, "00000000000000000000000000000000"),
        (165, "ffffffffffffffffffffffffffffffff"),
    ] {
        assert!(!opens(tag), "tcId {case}");
    }
}

// The hash

/// The official vectors, test_vectors.json of BLAKE3: the first 32 bytes of each.
#[test]
fn blake3_is_the_published_one() {
    // (bytes of input, hash, keyed hash, derived key)
    let cases = [
        (
            0,
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
            "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26",
            "2cc39783c223154fea8dfb7c1b1660f2ac2dcbd1c1de8277b0b0dd39b7e50d7d",
        ),
        (
            1,
            "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
            "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b",
            "b3e2e340a117a499c6cf2398a19ee0d29cca2bb7404c73063382693bf66cb06c",
        ),
        (
            1023,
            "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11",
            "c951ecdf03288d0fcc96ee3413563d8a6d3589547f2c2fb36d9786470f1b9d6e",
            "74a16c1c3d44368a86e1ca6df64be6a2f64cce8f09220787450722d85725dea5",
        ),
        (
            1024,
            "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
            "75c46f6f3d9eb4f55ecaaee480db732e6c2105546f1e675003687c31719c7ba4",
            "7356cd7720d5b66b6d0697eb3177d9f8d73a4a5c5e968896eb6a689684302706",
        ),
        (
            1025,
            "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444",
            "357dc55de0c7e382c900fd6e320acc04146be01db6a8ce7210b7189bd664ea69",
            "effaa245f065fbf82ac186839a249707c3bddf6d3fdda22d1b95a3c970379bcb",
        ),
        (
            4097,
            "9b4052b38f1c5fc8b1f9ff7ac7b27cd242487b3d890d15c96a1c25b8aa0fb995",
            "00df940cd36bb9fa7cbbc3556744e0dbc8191401afe70520ba292ee3ca80abbc",
            "aca51029626b55fda7117b42a7c211f8c6e9ba4fe5b7a8ca922f34299500ead8",
        ),
        (
            7169,
            "a003fc7a51754a9b3c7fae0367ab3d782dccf28855a03d435f8cfe74605e7817",
            "ed9b1a922c046fdb3d423ae34e143b05ca1bf28b710432857bf738bcedbfa511",
            "554b0a5efea9ef183f2f9b931b7497995d9eb26f5c5c6dad2b97d62fc5ac31d9",
        ),
    ];
    let key = b"whats the Elvish word for friend";
    let context = "BLAKE3 2019-12-27 16:29:52 test vectors context";
    for (len, hash, keyed, derived) in cases {
        let input: Vec<u8> = (0..len).map(|place| (place % 251) as u8).collect();
        assert_eq!(blake3::hash(&input).as_bytes(), &array(hash), "{len}");
        assert_eq!(blake3::keyed_hash(key, &input).as_bytes(), &array(keyed), "{len}");
        assert_eq!(blake3::derive_key(context, &input), array(derived), "{len}");
    }
    // The nonce of a seal is cut from the extended output.
    let mut extended = [0; 131];
    blake3::Hasher::new_keyed(key).finalize_xof().fill(&mut extended);
    let expected = "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26b18171a2f22a4b94\
                    822c701f107153dba24918c4bae4d2945c20ece13387627d3b73cbf97b797d5e59948c7ef788f543\
                    72df45e45e4293c7dc18c1d41144a9758be58960856be1eabbe22c2653190de560ca3b2ac4aa692a\
                    9210694254c371e851bc8f";
    assert_eq!(extended[..], hex(expected)[..]);
}
