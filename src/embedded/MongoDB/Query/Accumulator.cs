using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Query;

/// <summary>An accumulator of <c>$group</c>.</summary>
internal abstract class Accumulator
{
    public abstract BsonValue Result { get; }

    public abstract void Add(BsonValue? value);

    public static Accumulator Create(string name) => name switch
    {
        "$sum" => new Sum(),
        "$avg" => new Average(),
        "$min" => new Extreme(-1),
        "$max" => new Extreme(1),
        "$first" => new First(),
        "$last" => new Last(),
        "$push" => new Push(),
        "$addToSet" => new Set(),
        "$count" => new Count(),
        "$mergeObjects" => new Merge(),
        "$stdDevPop" => new Deviation(sample: false),
        "$stdDevSamp" => new Deviation(sample: true),
        _ => throw new MongoCommandException(MongoErrorCode.InvalidPipelineOperator, $"unknown group operator '{name}'"),
    };

    private sealed class Sum : Accumulator
    {
        private BsonValue _sum = new BsonInt32(0);

        public override BsonValue Result => _sum;

        public override void Add(BsonValue? value)
        {
            if (value is { IsNumeric: true })
                _sum = Arithmetic.Add(_sum, value);
        }
    }

    private sealed class Average : Accumulator
    {
        private BsonValue _sum = new BsonInt32(0);
        private int _count;

        public override BsonValue Result => _count == 0 ? BsonNull.Value : Arithmetic.Divide(_sum, new BsonInt32(_count));

        public override void Add(BsonValue? value)
        {
            if (value is not { IsNumeric: true })
                return;
            _sum = Arithmetic.Add(_sum, value);
            _count++;
        }
    }

    private sealed class Extreme(int sign) : Accumulator
    {
        private BsonValue? _best;

        public override BsonValue Result => _best ?? BsonNull.Value;

        public override void Add(BsonValue? value)
        {
            if (value is null or BsonNull)
                return;
            if (_best is null || BsonValueComparer.Instance.Compare(value, _best) * sign > 0)
                _best = value;
        }
    }

    private sealed class First : Accumulator
    {
        private BsonValue? _first;

        public override BsonValue Result => _first ?? BsonNull.Value;

        public override void Add(BsonValue? value) => _first ??= value ?? BsonNull.Value;
    }

    private sealed class Last : Accumulator
    {
        private BsonValue _last = BsonNull.Value;

        public override BsonValue Result => _last;

        public override void Add(BsonValue? value) => _last = value ?? BsonNull.Value;
    }

    private sealed class Push : Accumulator
    {
        private readonly BsonArray _values = [];

        public override BsonValue Result => _values;

        public override void Add(BsonValue? value)
        {
            if (value is not null)
                _values.Add(value);
        }
    }

    private sealed class Set : Accumulator
    {
        private readonly HashSet<BsonValue> _values = new(BsonValueComparer.Instance);

        public override BsonValue Result => new BsonArray(_values);

        public override void Add(BsonValue? value)
        {
            if (value is not null)
                _values.Add(value);
        }
    }

    private sealed class Count : Accumulator
    {
        private int _count;

        public override BsonValue Result => new BsonInt32(_count);

        public override void Add(BsonValue? value) => _count++;
    }

    private sealed class Merge : Accumulator
    {
        private readonly BsonDocument _merged = [];

        public override BsonValue Result => _merged;

        public override void Add(BsonValue? value)
        {
            if (value is BsonDocument document)
                _merged.Merge(document, overwriteExistingElements: true);
        }
    }

    private sealed class Deviation(bool sample) : Accumulator
    {
        private long _count;
        private double _mean;
        private double _squares;

        public override BsonValue Result => _count < (sample ? 2 : 1)
            ? BsonNull.Value
            : new BsonDouble(Math.Sqrt(_squares / (sample ? _count - 1 : _count)));

        public override void Add(BsonValue? value)
        {
            if (value is not { IsNumeric: true })
                return;
            // Welford's method: one pass, no cancellation.
            double number = value.ToDouble();
            _count++;
            double delta = number - _mean;
            _mean += delta / _count;
            _squares += delta * (number - _mean);
        }
    }
}
