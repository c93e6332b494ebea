"""Command lines that are wrong, and what is said of each."""

from __future__ import annotations

RUN = "run classifier.onnx -i ok.png"

TWO = "run two.onnx -i a=a.npy -i b=a.npy"

# What is typed, and a part of what is said.
BAD_USES = [
    # of all commands
    ("nonsense", "nonsense"),
    ("--nonsense", "--nonsense"),
    ("run", "Missing"),
    ("show", "Missing"),
    ("show classifier.onnx --train 4", "add --plan"),
    ("show classifier.onnx --plan --loss l1", "--train BATCH"),
    ("show classifier.onnx --plan --train 0", "at least one example"),
    ("show classifier.onnx --plan --train 4 --size 8", "leave out --size"),
    ("show classifier.onnx --plan --train 4 --loss nonsense", "no loss 'nonsense'"),
    *((f"{command} --nonsense", "--nonsense") for command in ("devices", "show", "demo", "doctor")),
    *((f"{command} classifier.onnx -d voodoo", "there are 0: ") for command in ("check", "tune")),
    *(
        (f"{command} no.onnx{more}", "no.onnx")
        for command, more in (("run", " -i ok.png"), ("show", ""), ("check", ""), ("tune", ""))
    ),
    *(
        (f"{command} 'not a model.onnx'{more}", "not a model.onnx")
        for command, more in (("run", " -i ok.png"), ("show", ""), ("check", ""), ("tune", ""))
    ),
    *(
        (f"{command} pipe.onnx{more}", "regular file")
        for command, more in (("run", " -i ok.png"), ("show", ""), ("check", ""), ("tune", ""))
    ),
    *(
        (f"{command} classifier.onnx{more} --precision float8", "float16")
        for command, more in (
            ("run", " -i ok.png"),
            ("show", " --plan"),
            ("check", ""),
            ("tune", ""),
        )
    ),
    *(
        (f"{command} brightener.onnx --size {size}", "--size")
        for command in ("show", "check", "tune")
        for size in ("8", "0x8", "-1x8", "8x8x8", "nan", "ax8", "99999999999x1", "1e3x4", "''")
    ),
    *(
        (f"{command} {model} --shape {shape}", "--shape")
        for command in ("show", "check", "tune")
        for model, shape in (
            ("brightener.onnx", "picture=1x3x0x8"),
            ("brightener.onnx", "picture=1x3x-2x8"),
            ("brightener.onnx", "picture=1x3x8"),
            ("brightener.onnx", "picture=1x4x8x8"),
            ("brightener.onnx", "other=1x3x8x8"),
            ("brightener.onnx", "picture="),
            ("brightener.onnx", "1x3x8x8 --shape picture=1x3x8x8"),
            ("two.onnx", "2x3"),
        )
    ),
    *((f"{command} fixed.onnx --size 8x8", "--size") for command in ("show", "check", "tune")),
    *((f"{command} brightener.onnx", "--size") for command in ("show --plan", "check", "tune")),
    (
        "show brightener.onnx --size 8x8 --shape picture=1x3x8x8",
        "--size",
    ),
    # devices
    ("devices -d voodoo", "voodoo"),
    ("devices extra", "extra"),
    # show
    ("show classifier.onnx --plan --fused", "choose one"),
    ("show classifier.onnx -d 0", "--plan"),
    ("show classifier.onnx --precision float16", "--plan"),
    ("show classifier.onnx --plan -d voodoo", "voodoo"),
    # run: numbers
    *(
        (f"{RUN} --scale {scale}", "--scale")
        for scale in ("-1", "0", "nan", "inf", "-inf", "1e999", "x")
    ),
    *((f"{RUN} --mean {mean}", "--mean") for mean in ("a,b", "nan", "1,inf,1", "1,2", "''", ",")),
    *((f"{RUN} --std {std}", "--std") for std in ("0", "-1", "nan", "1,0,1", "1,2", "inf")),
    *((f"{RUN} --top {top}", "--top") for top in ("0", "-3", "2.5", "many")),
    (f"{RUN} --layout nope", "--layout"),
    *((f"{RUN} --size {size}", "--size") for size in ("8", "8x", "0x0", "-8x8")),
    (f"{RUN} -d voodoo", "voodoo"),
    # run: options that would do nothing
    (f"{RUN} --size 8x8", "--size"),
    ("run fixed.onnx -i ok.png --size 8x8", "--size"),
    *(
        (f"run classifier.onnx -i ok.npy {option}", option.split()[0])
        for option in ("--mean 0.5", "--std 1", "--scale 1", "--layout nchw", "--size 8x8")
    ),
    ("run fixed.onnx -i ok.png --labels few.txt", "no list of class scores"),
    ("run fixed.onnx -i ok.png --top 3", "no list of class scores"),
    (f"{TWO} --labels few.txt", "no list of class scores"),
    # run: labels
    (f"{RUN} --labels no.txt", "no.txt"),
    (f"{RUN} --labels folder", "folder"),
    (f"{RUN} --labels pipe.txt", "regular file"),
    (f"{RUN} --labels /dev/zero", "regular file"),
    (f"{RUN} --labels empty.txt", "error: empty.txt: names no classes"),
    (f"{RUN} --labels latin.txt", "UTF-8"),
    (f"{RUN} --labels few.txt", "2 classes, the network has 10"),
    (f"{RUN} --labels deep.json", "no JSON"),
    (f"{RUN} --labels digits.json", "no JSON"),
    (f"{RUN} --labels bad.json", "no JSON"),
    (f"{RUN} --labels nested.json", "no name"),
    # run: outputs
    (f"{RUN} -o result.gif", ".gif"),
    (f"{RUN} -o result", "result"),
    (f"{RUN} -o nowhere/result.npz", "nowhere"),
    (f"{RUN} -o ok.png/result.npz", "no folder"),
    (f"{RUN} -o folder.npz", "is a folder"),
    (f"{RUN} -o pipe.npz", "regular file"),
    (f"{RUN} -o result.png", "no picture"),
    (f"{RUN} -o {'x' * 300}.npz", "xxx"),
    (f"{TWO} -o result.npy", "2 outputs"),
    (f"{RUN} -i ok.png -o result.npy", "one result"),
    # run: folders and tables
    ("run classifier.onnx folder", "no pictures"),
    ("run classifier.onnx 'no*.png'", "no pictures"),
    ("run classifier.onnx ok.png no.png -o result.csv", "no.png"),
    ("run classifier.onnx ok.npy -o result.csv", "one by one"),
    ("run classifier.onnx -i ok.npy -i ok.npy -o result.npz", "one by one"),
    ("run classifier.onnx ok.png -o result.csv --labels few.txt", "2 classes, the network has 10"),
    ("run classifier.onnx ok.png -o nowhere/result.csv", "nowhere"),
    ("run classifier.onnx ok.png -o result.csv --size 8x8", "--size"),
    ("run classifier.onnx ok.png -o result.csv --layout nhwc", "try --layout nchw"),
    ("run classifier.onnx '*.png' -o result.npz --top 3", "all scores"),
    ("run classifier.onnx '*.png' -o result.png", "table"),
    ("run classifier.onnx '*.png' -o result.npy", "table"),
    ("run fixed.onnx ok.png -o result.csv --top 3", "no list of class scores"),
    ("run fixed.onnx ok.png -o result.csv --batch 2", "fixed at 1"),
    ("run two.onnx ok.png -o result.csv", "one input"),
    ("run classifier.onnx ok.png --strict", "--strict"),
    ("run classifier.onnx ok.png --batch 2", "--batch"),
    ("run classifier.onnx ok.png --fit magic", "--fit"),
    ("run classifier.onnx ok.png --fit tiles", "--fit"),
    ("run classifier.onnx ok.png -o result.csv --fit tiles", "--fit"),
    ("run classifier.onnx ok.png -d 0,voodoo", "'voodoo'"),
    # run: inputs
    ("run classifier.onnx", "--input"),
    ("run two.onnx -i a=a.npy -i a=a.npy", "twice"),
    ("run two.onnx -i a.npy", "which input"),
    ("run two.onnx -i c=a.npy", "'c'"),
    *(
        (f"run classifier.onnx -i {name}", said)
        for name, said in (
            ("no.png", "no.png"),
            ("folder", "folder"),
            ("pipe.png", "regular file"),
            ("pipe.npy", "regular file"),
            ("pipe.npz", "regular file"),
            ("/dev/zero", "regular file"),
            ("text.png", "no picture"),
            ("'not a model.onnx'", "no picture"),
            ("''", "no path"),
            ("image=", "name a file"),
        )
    ),
    # serve
    ("serve", "Missing"),
    ("serve no.onnx", "no.onnx"),
    ("serve folder", "folder"),
    ("serve pipe.onnx", "regular file"),
    ("serve classifier.onnx two.onnx other=no.onnx", "no.onnx"),
    ("serve classifier.onnx ./classifier.onnx", "both called 'classifier'"),
    ("serve a/b=classifier.onnx", "slash"),
    *((f"serve classifier.onnx --port {port}", "--port") for port in ("-1", "65536", "http")),
    *((f"serve classifier.onnx --max-batch {n}", "--max-batch") for n in ("0", "-1", "1.5", "x")),
    *((f"serve classifier.onnx --max-queue {n}", "--max-queue") for n in ("0", "-1", "x")),
    *(
        (f"serve classifier.onnx {option} {number}", option)
        for option in ("--max-delay", "--max-request-size", "--grace")
        for number in ("-1", "nan", "inf", "x", "1e12")
    ),
    *((f"serve classifier.onnx --token {token}", "--token") for token in ("''", "'a b'", "é")),
    ("serve classifier.onnx --precision float8", "float16"),
    ("serve classifier.onnx --nonsense", "--nonsense"),
    # doctor
    ("doctor --all --quiet", "choose one"),
    ("demo -o a.txt --json", ".txt"),
    ("devices -d voodoo --json", "voodoo"),
    ("train", "Missing"),
    ("train classifier.onnx folder -o nowhere/x.onnx --json", "nowhere"),
    ("train classifier.onnx folder -o x.txt", "end the name with .onnx"),
    ("show classifier.onnx --json=yes", "--json"),
    ("doctor --ops Nonsense", "no kernels of Nonsense"),
    ("doctor --ops ,", "--ops"),
    ("doctor --ops ''", "--ops"),
    ("doctor -d voodoo", "voodoo"),
    ("doctor --report nowhere/report.md", "nowhere"),
    ("doctor --report folder", "folder"),
    ("doctor --report pipe.txt", "regular file"),
    # tune
    ("tune", "nothing to tune"),
    ("tune --ops Nonsense", "no kernels of Nonsense"),
    ("tune --ops ' '", "--ops"),
    *(
        (f"tune classifier.onnx --limit {limit}", "--limit")
        for limit in ("0", "-1", "nan", "inf", "x")
    ),
    ("tune --import no.json", "no.json"),
    ("tune --import folder", "folder"),
    ("tune --import pipe.json", "regular file"),
    ("tune --merge bad.json", "no JSON"),
    ("tune --merge deep.json", "no JSON"),
    ("tune --merge nested.json", "does not say its format"),
    ("tune classifier.onnx --export nowhere/results.json", "nowhere"),
    ("tune classifier.onnx --export folder", "folder"),
    ("tune --export results.json -d 0", "--device"),
    ("tune --export results.json --limit 3", "--limit"),
    ("tune --export results.json --afresh", "--afresh"),
    ("tune --export results.json --precision float16", "--precision"),
    ("tune --ops Gemm --size 8x8", "--size"),
    ("tune --ops Gemm --shape x=8x8", "--shape"),
    # check
    ("check classifier.onnx -i ok.png -i ok.png", "one at a time"),
    ("check classifier.onnx -i ok.npy --shape image=1x3x8x8", "--shape"),
    ("check classifier.onnx -i ok.npy --size 8x8", "--size"),
    ("check classifier.onnx -i 'other shape.npy'", "axis 2 is 9, the input has 8"),
    ("check classifier.onnx -i chw.npy", "the batch axis is missing: x[None]"),
    ("check two.onnx -i a=a.npy", "missing"),
    # profile and bench
    *(
        (f"{command} {typed}", said)
        for command in ("profile", "bench")
        for typed, said in (
            ("classifier.onnx -d voodoo", "there are 0: "),
            ("no.onnx", "no.onnx"),
            ("'not a model.onnx'", "not a model.onnx"),
            ("pipe.onnx", "regular file"),
            ("folder", "folder"),
            ("classifier.onnx --precision float8", "float16"),
            ("brightener.onnx", "--size"),
            ("brightener.onnx --size 8", "--size"),
            ("brightener.onnx --shape picture=1x4x8x8", "--shape"),
            ("fixed.onnx --size 8x8", "--size"),
        )
    ),
    ("profile classifier.onnx -i no.png", "no.png"),
    ("profile classifier.onnx -i ok.npy -i ok.npy", "name one"),
    ("profile classifier.onnx -i ok.npy --shape image=1x3x8x8", "--shape"),
    ("profile classifier.onnx -i 'other shape.npy'", "9"),
    ("profile classifier.onnx --json --by layer", "--by"),
    ("profile classifier.onnx --json --top 3", "--top"),
    ("profile classifier.onnx --by size", "layer, kernel, launch"),
    *((f"profile classifier.onnx --top {top}", "--top") for top in ("-1", "x")),
    *((f"profile classifier.onnx --runs {runs}", "--runs") for runs in ("0", "-1", "1e9")),
    *(
        (f"profile classifier.onnx {option} {path}", said)
        for option in ("--trace", "--html")
        for path, said in (
            ("nowhere/out", "nowhere"),
            ("folder", "folder"),
            ("pipe.txt", "regular file"),
        )
    ),
    ("bench", "Missing"),
    ("bench 4 --batch 1", "name one model"),
    ("bench fixed.onnx --batch 4", "leave it out"),
    # demo
    ("demo -o nowhere/a.png", "nowhere"),
    ("demo -o a.txt", ".txt"),
    ("demo -o folder.npz", "folder.npz"),
    ("demo -i no.png", "no.png"),
    ("demo -i pipe.png", "regular file"),
    ("demo -i ok.npy", "is no picture that Pillow can read\n"),
    ("demo -i floats.tif", "no known range"),
    ("demo -d voodoo", "voodoo"),
]
