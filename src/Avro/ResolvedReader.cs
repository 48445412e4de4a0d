using System.Linq.Expressions;
using System.Reflection;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Avro;

/// <summary>Reads a <typeparamref name="T"/> of another schema's bytes.</summary>
internal delegate T ResolvedRead<out T>(ref AvroReader reader);

/// <summary>
/// Makes the code that reads what another schema wrote into a generated type, once for each such schema: it is compiled, so that old
/// versions are read about as fast as the current one is by the generated code. Fields are set as generated code names them: <c>_f</c> and
/// their place.
/// </summary>
internal sealed class ResolvedReader
{
    private static readonly Type ReaderRef = typeof(AvroReader).MakeByRefType();

    private readonly Dictionary<(RecordResolution, Type), RecordCode> _records = [];
    private readonly Lock _making = new();

    private ResolvedReader()
    {
    }

    /// <summary>Code for <paramref name="resolution"/>, whose reader's schema is that of <paramref name="type"/>.</summary>
    /// <exception cref="InvalidOperationException">The type was not made by this library's generator.</exception>
    public static AvroRead Compile(RecordResolution resolution, Type type)
    {
        RecordCode code = new ResolvedReader().RecordOf(resolution, type);
        code.Make();
        ParameterExpression reader = Expression.Parameter(ReaderRef, "reader");
        Expression read = Expression.Invoke(Expression.Field(Expression.Constant(code), nameof(RecordCode<>.Read)), reader);
        return Expression.Lambda<AvroRead>(read, reader).Compile();
    }

    // The code of a record, in a cell of its own: it is called before it is made when the record contains itself.
    private RecordCode RecordOf(RecordResolution resolution, Type type)
    {
        if (_records.TryGetValue((resolution, type), out RecordCode? known))
            return known;
        var code = (RecordCode)Activator.CreateInstance(typeof(RecordCode<>).MakeGenericType(type), this, resolution)!;
        _records.Add((resolution, type), code);
        return code;
    }

    private ResolvedRead<T> Make<T>(RecordResolution resolution)
    {
        lock (_making)
        {
            ParameterExpression reader = Expression.Parameter(ReaderRef, "reader");
            var body = new ReadBody(this, reader);
            ParameterExpression value = body.Local(typeof(T));
            body.ReadRecord(resolution, value);
            return Expression.Lambda<ResolvedRead<T>>(body.Returning(value), reader).Compile();
        }
    }

    private abstract class RecordCode
    {
        public abstract void Make();
    }

    // Made when a value first has such a record: a schema may have more types in one another than values of it can have.
    private sealed class RecordCode<T> : RecordCode
    {
        private readonly ResolvedReader _compiler;
        private readonly RecordResolution _resolution;

        public ResolvedRead<T> Read;

        public RecordCode(ResolvedReader compiler, RecordResolution resolution)
        {
            (_compiler, _resolution) = (compiler, resolution);
            Read = (ref AvroReader reader) =>
            {
                Make();
                return Read!(ref reader);
            };
        }

        public override void Make() => Read = _compiler.Make<T>(_resolution);
    }

    /// <summary>The statements of one method.</summary>
    private sealed class ReadBody(ResolvedReader compiler, ParameterExpression reader)
    {
        private readonly List<ParameterExpression> _locals = [];
        private List<Expression> _statements = [];

        public ParameterExpression Local(Type type)
        {
            ParameterExpression local = Expression.Variable(type);
            _locals.Add(local);
            return local;
        }

        public BlockExpression Returning(ParameterExpression value)
        {
            _statements.Add(value);
            return Expression.Block(value.Type, _locals, _statements);
        }

        public void ReadRecord(RecordResolution resolution, ParameterExpression target)
        {
            if (resolution.Problem is { } problem)
            {
                Fail(problem);
                return;
            }

            Call(nameof(AvroReader.Enter));
            Do(Expression.Assign(target, Expression.New(target.Type)));
            foreach (FieldStep step in resolution.Steps)
            {
                if (step.Value is null)
                {
                    Do(Expression.Call(typeof(AvroSkip), nameof(AvroSkip.Skip), null, reader, Expression.Constant(step.Written.Schema)));
                    continue;
                }

                FieldInfo field = FieldOf(target.Type, step.Field);
                ParameterExpression value = Local(field.FieldType);
                Read(step.Value, value);
                if (resolution.Reader.Fields[step.Field].IsPersonal)
                    Do(Expression.Assign(value, Reading(nameof(AvroReader.Opened), value)));
                Do(Expression.Assign(Expression.Field(target, field), value));
            }

            foreach (int place in resolution.Defaults)
            {
                FieldInfo field = FieldOf(target.Type, place);
                Do(Expression.Assign(Expression.Field(target, field),
                    compiler.DefaultOf(resolution.Reader.Fields[place], field.FieldType)));
            }

            Call(nameof(AvroReader.Leave));
        }

        public void Read(Resolution resolution, ParameterExpression target)
        {
            if (resolution.Problem is { } problem)
            {
                Fail(problem);
                return;
            }

            switch (resolution)
            {
                case PrimitiveResolution primitive:
                    Do(Expression.Assign(target, ScalarCode.Primitive(reader, primitive, target.Type)));
                    break;
                case FixedResolution bytes:
                    Do(Expression.Assign(target, ScalarCode.Fixed(reader, bytes, target.Type)));
                    break;
                case EnumResolution symbols:
                    ReadEnum(symbols, target);
                    break;
                case RecordResolution record when record.IsIdentity:
                    Do(Expression.Assign(target, Expression.Call(GeneratedReader(target.Type), reader)));
                    break;
                case RecordResolution record:
                    Do(Expression.Assign(target,
                        Expression.Invoke(Expression.Field(Expression.Constant(compiler.RecordOf(record, target.Type)),
                            nameof(RecordCode<>.Read)), reader)));
                    break;
                case ArrayResolution array:
                    ReadArray(array, target);
                    break;
                case MapResolution map:
                    ReadMap(map, target);
                    break;
                case BranchResolution branch:
                    ReadBranch(branch, target);
                    break;
                case UnionResolution union:
                    ReadUnion(union, target);
                    break;
                default:
                    throw new InvalidOperationException($"{target.Type} cannot hold a value of this kind.");
            }
        }

        private void ReadEnum(EnumResolution symbols, ParameterExpression target)
        {
            Expression index = symbols.Symbols.Select((symbol, i) => symbol == i).All(same => same)
                ? Reading(nameof(AvroReader.ReadIndex), Expression.Constant(symbols.Symbols.Count))
                : Expression.Call(typeof(AvroSkip), nameof(AvroSkip.ReadSymbol), null, reader, Expression.Constant(symbols));
            Do(Expression.Assign(target, Expression.Convert(index, target.Type)));
        }

        private void ReadArray(ArrayResolution array, ParameterExpression target)
        {
            Type item = target.Type.GetGenericArguments()[0];
            ParameterExpression list = Local(typeof(List<>).MakeGenericType(item));
            Do(Expression.Assign(list, Expression.New(list.Type)));
            Blocks(array.Items, () =>
            {
                ParameterExpression value = Local(item);
                Read(array.Items, value);
                Do(Expression.Call(list, nameof(List<>.Add), null, value));
            });
            Do(Expression.Assign(target, list));
        }

        private void ReadMap(MapResolution map, ParameterExpression target)
        {
            Type item = target.Type.GetGenericArguments()[1];
            ParameterExpression entries = Local(typeof(Dictionary<,>).MakeGenericType(typeof(string), item));
            Do(Expression.Assign(entries, Expression.New(entries.Type)));
            Blocks(null, () =>
            {
                ParameterExpression key = Local(typeof(string));
                Do(Expression.Assign(key, Reading(nameof(AvroReader.ReadString))));
                ParameterExpression value = Local(item);
                Read(map.Values, value);
                Do(Expression.Assign(Expression.Property(entries, "Item", key), value));
            });
            Do(Expression.Assign(target, entries));
        }

        // How many items take no byte is bounded by a number.
        private void Blocks(Resolution? items, Action item)
        {
            ParameterExpression left = Local(typeof(int));
            LabelTarget end = Expression.Label();
            MethodCallExpression count = items is not null && AvroSkip.IsEmpty(items)
                ? Reading(nameof(AvroReader.ReadEmptyCount))
                : Reading(nameof(AvroReader.ReadBlockCount));
            Call(nameof(AvroReader.Enter));
            Expression body = Within(() =>
            {
                item();
                Do(Expression.PreDecrementAssign(left));
            });
            LabelTarget next = Expression.Label();
            Do(Expression.Loop(
                Expression.Block(
                    Expression.Assign(left, count),
                    Expression.IfThen(Expression.Equal(left, Expression.Constant(0)), Expression.Break(end)),
                    Expression.Loop(Expression.IfThenElse(Expression.Equal(left, Expression.Constant(0)), Expression.Break(next), body),
                        next)),
                end));
            Call(nameof(AvroReader.Leave));
        }

        private void ReadBranch(BranchResolution branch, ParameterExpression target)
        {
            if (branch.Reader.Branches[branch.Branch].Kind == SchemaKind.Null)
            {
                Do(Expression.Assign(target, Expression.Default(target.Type)));
                return;
            }

            if (AvroUnion.BranchesOf(target.Type).FirstOrDefault(b => b.Index == branch.Branch) is { } generated)
            {
                ParameterExpression held = Local(generated.ValueType);
                Read(branch.Value, held);
                Do(Expression.Assign(target, Expression.New(generated.Constructor, held)));
                return;
            }

            Type inner = Nullable.GetUnderlyingType(target.Type) ?? target.Type;
            if (inner == target.Type)
            {
                Read(branch.Value, target);
                return;
            }

            ParameterExpression value = Local(inner);
            Read(branch.Value, value);
            Do(Expression.Assign(target, Expression.Convert(value, target.Type)));
        }

        private void ReadUnion(UnionResolution union, ParameterExpression target)
        {
            if (union.Branches.Count == 0)
            {
                Fail("the writer's union has no branch");
                return;
            }

            MethodCallExpression index = Reading(nameof(AvroReader.ReadIndex), Expression.Constant(union.Branches.Count));
            SwitchCase[] cases = [.. union.Branches.Select((branch, i) =>
                Expression.SwitchCase(Within(() => Read(branch, target)), Expression.Constant(i)))];
            Do(Expression.Switch(typeof(void), index, null, null, cases));
        }

        // What the action adds, as one statement.
        private Expression Within(Action action)
        {
            List<Expression> outer = _statements;
            _statements = [];
            action();
            List<Expression> inner = _statements;
            _statements = outer;
            return Expression.Block(typeof(void), inner.Count > 0 ? inner : [Expression.Empty()]);
        }

        private MethodCallExpression Reading(string method, params Expression[] arguments) =>
            Expression.Call(reader, typeof(AvroReader).GetMethod(method, [.. arguments.Select(a => a.Type)])!, arguments);

        private void Call(string method) => Do(Reading(method));

        private void Fail(string problem) =>
            Do(Expression.Throw(Expression.New(typeof(SchemaMismatchException).GetConstructor([typeof(string)])!,
                Expression.Constant(problem))));

        private void Do(Expression statement) => _statements.Add(statement);
    }

    private static MethodInfo GeneratedReader(Type type) =>
        type.GetMethod("ReadFrom", BindingFlags.Public | BindingFlags.Static, [ReaderRef]) ?? throw NotGenerated(type);

    private static FieldInfo FieldOf(Type type, int place) =>
        type.GetField($"_f{place}", BindingFlags.NonPublic | BindingFlags.Instance) ?? throw NotGenerated(type);

    private static InvalidOperationException NotGenerated(Type type) =>
        new($"{type} was not made by this library's generator from the schema that it has.");

    // What cannot change is made once; collections and records are made for each value.
    private Expression DefaultOf(SchemaField field, Type type) =>
        (Expression)typeof(ResolvedReader).GetMethod(nameof(DefaultOf), 1, BindingFlags.NonPublic | BindingFlags.Instance,
            [typeof(SchemaField)])!.MakeGenericMethod(type).Invoke(this, [field])!;

    private Expression DefaultOf<T>(SchemaField field)
    {
        byte[] encoded = AvroDefault.Encode(field.Schema, field.Default!.Value);
        ParameterExpression reader = Expression.Parameter(ReaderRef, "reader");
        var body = new ReadBody(this, reader);
        ParameterExpression value = body.Local(typeof(T));
        body.Read(SchemaResolver.Resolve(field.Schema, field.Schema).Resolution, value);
        var made = new DefaultValue<T>(encoded, Expression.Lambda<ResolvedRead<T>>(body.Returning(value), reader).Compile());
        return typeof(T) == typeof(string) || typeof(T).IsValueType
            ? Expression.Constant(made.Make(), typeof(T))
            : Expression.Call(Expression.Constant(made), nameof(DefaultValue<>.Make), null);
    }

    private sealed class DefaultValue<T>(byte[] encoded, ResolvedRead<T> read)
    {
        public T Make()
        {
            var reader = new AvroReader(encoded);
            return read(ref reader);
        }
    }
}
