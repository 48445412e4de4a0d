namespace KafkaEventSourcing.EventLog.Tests;

/// <summary>Which of the packaged builds of librdkafka is taken; the loader itself would go on to a library of the system.</summary>
public sealed class PackagedLibrdkafkaTests
{
    private static readonly string First = Path.Combine("app", "runtimes");
    private static readonly string Second = Path.Combine("app");

    [Fact]
    public void First_build_is_taken_where_it_loads() =>
        Choose(isMusl: false, present: [At(First, "librdkafka.so"), At(First, "centos8-librdkafka.so")], loads: _ => true).ShouldBe(
            At(First, "librdkafka.so"));

    // Where libsasl2.so.3 was missing, a librdkafka of the system was loaded in its place, and nothing started.
    [Fact]
    public void Build_that_needs_nothing_of_the_system_is_taken_where_the_first_does_not_load() =>
        Choose(isMusl: false, present: [At(First, "librdkafka.so"), At(First, "centos8-librdkafka.so")],
            loads: p => p.Contains("centos8", StringComparison.Ordinal)).ShouldBe(At(First, "centos8-librdkafka.so"));

    [Fact]
    public void Build_for_musl_is_taken_there() =>
        Choose(isMusl: true, present: [At(First, "librdkafka.so"), At(First, "alpine-librdkafka.so")], loads: _ => true).ShouldBe(
            At(First, "alpine-librdkafka.so"));

    [Fact]
    public void Build_beside_a_published_application_is_found() =>
        Choose(isMusl: false, present: [At(Second, "librdkafka.so")], loads: _ => true).ShouldBe(At(Second, "librdkafka.so"));

    [Fact]
    public void None_that_loads_is_told_with_the_reasons_and_not_replaced_by_another() =>
        Should.Throw<DllNotFoundException>(() => Choose(isMusl: false, present: [At(First, "librdkafka.so")], loads: _ => false)).Message
            .ShouldContain("libsasl2.so.3 is missing");

    [Fact]
    public void Without_a_packaged_build_the_loader_chooses() => Choose(isMusl: false, present: [], loads: _ => true).ShouldBeNull();

    [Fact]
    public void This_process_uses_the_packaged_one()
    {
        KafkaLibrary.Description.ShouldStartWith("librdkafka 2.");
        if (OperatingSystem.IsLinux())
            KafkaLibrary.Description.ShouldContain(AppContext.BaseDirectory);
    }

    private static string? Choose(bool isMusl, string[] present, Func<string, bool> loads) =>
        PackagedLibrdkafka.Choose([First, Second], isMusl, present.Contains,
            path => loads(path) ? 1 : throw new DllNotFoundException($"{path}: libsasl2.so.3 is missing")).Path;

    private static string At(string folder, string file) => Path.Combine(folder, file);
}
