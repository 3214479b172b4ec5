# Makes the data root that this script lies in, in the working directory:
#   bash make.sh CORA    with resi on PYTHONPATH; CORA holds results_output_GAT.parquet (see ../README.md)
set -e
resi() {
  # Of the facts about the machine, the only two that may identify it.
  python -c '
import platform
platform.node, platform.platform = lambda: "example", lambda: "Linux"
from resi.cli.main import main
main()' "$@" || [ $? = 1 ] # as comparisons failed
}
run() { resi root=. "$@"; }
mkdir -p datasets/sst2
for row in $(seq 0 39); do
  [ $((row % 2)) = 0 ] && text=dull || text=charming
  printf '%s , part %s\t%s\n' $text $row $((row % 2)) >> datasets/sst2/train.tsv
  [ $row -gt 20 ] || printf '%s , part %s\t%s\n' $text $row $((row % 2)) >> datasets/sst2/dev.tsv
done
GRAPH="domain=graph dataset=digits_knn model=gcn model.gcn.epochs=2 model.gcn.hidden_channels=4 groups=2 seeds=[0,1]"
VISION="domain=vision dataset=digits model=tiny_vgg model.tiny_vgg.epochs=1 model.tiny_vgg.batch_size=128 seeds=[0,1]"
LANGUAGE="domain=language dataset=sst2 dataset.root=datasets/sst2 model=bert_tiny model.bert_tiny.epochs=1 seeds=[0,1]"
FOUR="measure=[cka,jaccard,pwcca,rsa]"
run $GRAPH test=augmentation $FOUR
run $GRAPH test=layer_monotonicity $FOUR
run $GRAPH test=output_correlation seeds=[0,1,2] $FOUR
run $GRAPH test=augmentation protocol=published $FOUR
run $GRAPH test=augmentation measure=[procrustes,rsm_norm_difference] compare.memory=600kB # the second fails
run $GRAPH test=augmentation measure=[gulp,magnitude_difference] compare.subsample=100
run $GRAPH test=augmentation measure=linear_regression stage=compare # leaves a part of a shard, without scores
run $VISION test=accuracy_correlation measure=[cka,jaccard]
run $LANGUAGE test=shortcut groups=2 measure=[cka,pwcca] measure.pwcca.variant=published # undefined: more features than samples
python -c '
import polars as pl, sys
rows = pl.col("metric").is_in(["CKA", "PWCCA", "JSD", "Disagreement", "AbsoluteAccDiff"])
pl.read_parquet(sys.argv[1] + "/results_output_GAT.parquet").filter(rows).write_parquet("published.parquet")' "$1"
resi merge . --published published.parquet
resi merge .
rm -rf locks published.parquet results/.merge.lock models/vision models/language unfinished
