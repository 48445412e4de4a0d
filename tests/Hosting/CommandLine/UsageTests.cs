using System.CommandLine;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;
using KafkaEventSourcing.Hosting.Hosts;

namespace KafkaEventSourcing.Hosting.Tests.CommandLine;

public sealed class UsageTests
{
    [Theory]
    [InlineData("a=1;b=2", false, "a=1|b=2")]
    [InlineData(@"sasl.password=x\;y;b=2", false, "sasl.password=x;y|b=2")]
    [InlineData("sasl.password=x;y\nb=2\n", false, "sasl.password=x;y|b=2")]
    [InlineData("sasl.password=x;y", true, "sasl.password=x;y")]
    [InlineData(" ; ", false, "")]
    public void Settings_of_a_variable_are_told_apart_and_a_semicolon_may_be_part_of_a_value(string text, bool isFile, string settings) =>
        string.Join('|', EnvironmentText.Settings(text, isFile)).ShouldBe(settings);

    // What followed the ; of a password was printed.
    [Fact]
    public void Setting_that_is_not_of_the_form_is_not_repeated()
    {
        var options = new ServerOptions();
        var root = new RootCommand { Options =
        {
            options.Kafka,
            options.KafkaSettings,
            options.Registry,
            options.RegistrySettings,
            options.MongoDB,
        } };
        InvalidInputException wrong = Should.Throw<InvalidInputException>(() =>
            options.AddressesOf(root.Parse(["--kafka-setting", "sasl.password=hun", "--kafka-setting", "ter2"])));
        wrong.Message.ShouldNotContain("ter2");
        wrong.Message.ShouldContain("setting 2 of 2");
    }

    [Theory]
    [InlineData("http://ada:pa:ss/w@rd@localhost:8081/x", "http://ada:***@localhost:8081/x")]
    [InlineData("'mongodb://ada:secret@h/?replicaSet=rs0' is wrong", "'mongodb://ada:***@h/?replicaSet=rs0' is wrong")]
    [InlineData("http://localhost:8081/subjects", "http://localhost:8081/subjects")]
    [InlineData("no address: a:b@c", "no address: a:b@c")]
    public void Password_of_an_address_is_hidden(string text, string shown) => Secrets.Redact(text).ShouldBe(shown);

    [Fact]
    public void Registry_credentials_of_the_address_are_sent_and_not_shown()
    {
        var config = new ServerAddresses { Registry = "http://ada:p%40ss@localhost:8081" }.RegistryConfig();
        (config.Url, config.BasicAuthUserInfo).ShouldBe(("http://localhost:8081/", "ada:p@ss"));
    }

    [Theory]
    [InlineData("nowhere")]
    [InlineData("http://host:9092")]
    [InlineData("host:9092,")]
    [InlineData("host:0")]
    [InlineData("ho st:9092")]
    public void Kafka_address_that_is_none_is_refused(string address) =>
        Should.Throw<InvalidInputException>(new ServerAddresses { Kafka = address }.Validate).Message.ShouldContain(
            "is not a Kafka address");

    [Theory]
    [InlineData("host:9092,[::1]:9092,SASL_SSL://kafka-1.example.com:9093")]
    public void Kafka_addresses_are_taken(string address) => new ServerAddresses { Kafka = address }.Validate();

    [Theory]
    [InlineData("no.such.setting", "1", "no.such.setting")]
    [InlineData("session.timeout.ms", "soon", "session.timeout.ms")]
    public void Kafka_setting_that_librdkafka_does_not_take_is_wrong_usage_and_named(string name, string value, string told)
    {
        var addresses = new ServerAddresses
        {
            Kafka = "localhost:1",
            KafkaSettings = new Dictionary<string, string> { [name] = value, ["sasl.password"] = "soon" },
        };
        InvalidInputException wrong = Should.Throw<InvalidInputException>(addresses.Validate);
        OptionFlags.InCommandLine(wrong).Message.ShouldStartWith("--kafka-setting has a setting");
        wrong.Message.ShouldContain(told);
        wrong.Message.ShouldNotContain("\"soon\"");
    }

    // They won over the library's own: with read_uncommitted a restore folded what was aborted, with one group for all the partitions of
    // one type went to another's consumers.
    [Theory]
    [InlineData("isolation.level", "read_uncommitted")]
    [InlineData("group.id", "mine")]
    [InlineData("partitioner", "consistent")]
    [InlineData("acks", "1")]
    [InlineData("request.required.acks", "1")]
    [InlineData("enable.auto.commit", "true")]
    [InlineData("transactional.id", "mine")]
    [InlineData("enable.idempotence", "false")]
    [InlineData("bootstrap.servers", "elsewhere:9092")]
    [InlineData("dotnet.consumer.consume.result.fields", "none")]
    public void Kafka_setting_that_promises_rest_on_is_wrong_usage(string name, string value)
    {
        var addresses = new ServerAddresses { Kafka = "localhost:1", KafkaSettings = new Dictionary<string, string> { [name] = value } };
        InvalidInputException wrong = Should.Throw<InvalidInputException>(addresses.Validate);
        wrong.Field.ShouldBe("--kafka-setting");
        wrong.Message.ShouldContain($"{name} cannot be set");
    }

    // Right by itself, and not for a producer that writes each record once: it was told by a stack trace, when the first writer was made.
    [Fact]
    public void Kafka_setting_that_does_not_go_with_those_of_a_client_is_wrong_usage()
    {
        var addresses = new ServerAddresses
        {
            Kafka = "localhost:1", KafkaSettings = new Dictionary<string, string> { ["max.in.flight.requests.per.connection"] = "100" },
        };
        Should.Throw<InvalidInputException>(addresses.Validate).Message.ShouldContain("max.in.flight");
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("nowhere")]
    [InlineData("mongodb://ada:secret@h:70000/")]
    public void MongoDB_address_that_is_none_is_refused(string address)
    {
        InvalidInputException wrong = Should.Throw<InvalidInputException>(new ServerAddresses { MongoDB = address }.Validate);
        wrong.Message.ShouldContain("such as mongodb://host:27017/?replicaSet=rs0");
        wrong.Message.ShouldNotContain("secret");
    }

    [Fact]
    public void Data_folder_that_cannot_be_one_is_wrong_usage()
    {
        foreach (string name in (string[])["", " ", "a\0b"])
            Should.Throw<InvalidInputException>(() => DataFolder.Check(name)).Message.ShouldStartWith("--data ");
        string file = Path.GetTempFileName();
        try
        {
            InvalidInputException wrong = Should.Throw<InvalidInputException>(() => DataFolder.Create(Path.Combine(file, "data")));
            wrong.Field.ShouldBe("--data");
            wrong.Message.ShouldContain(file);
            Should.Throw<InvalidInputException>(() => DataFolder.Create(file)).Field.ShouldBe("--data");
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("ftp://localhost")]
    public void Registry_address_that_is_none_is_refused(string address) =>
        Should.Throw<InvalidInputException>(new ServerAddresses { Registry = address }.Validate).Field.ShouldBe("SchemaRegistry");

    [Fact]
    public void Registry_setting_that_there_is_not_is_refused() =>
        Should.Throw<InvalidInputException>(new ServerAddresses
        {
            Registry = "http://localhost:1", RegistrySettings = new Dictionary<string, string> { ["schema.registry.no.such"] = "1" },
        }.Validate).Field.ShouldBe("SchemaRegistrySettings");

    [Theory]
    [InlineData("NaN")]
    [InlineData("Infinity")]
    [InlineData("0.5")]
    [InlineData("1e300")]
    public void Session_timeout_that_cannot_be_is_wrong_usage(string seconds)
    {
        var options = new ServerOptions();
        var root = new RootCommand { Options = { options.SessionTimeout } };
        Should.Throw<InvalidInputException>(() => options.SessionTimeoutOf(root.Parse(["--session-timeout", seconds]))).Message
            .ShouldContain("--session-timeout is");
    }

    [Fact]
    public void Check_is_not_asked_for_a_text_that_is_no_value()
    {
        Option<int> port = new Option<int>("--port").Checked(v => v < 0 ? "negative" : null);
        var root = new RootCommand { Options = { port } };
        root.Parse(["--port", "abc"]).Errors.ShouldHaveSingleItem().Message.ShouldContain("'abc'");
        root.Parse(["--port", "-1"]).Errors.ShouldHaveSingleItem().Message.ShouldBe("negative");
        root.Parse(["--port", "1"]).Errors.ShouldBeEmpty();
    }

    [Fact]
    public void File_descriptors_that_are_too_few_are_told_with_how_many_are_needed()
    {
        FileDescriptors.Allowed(["Limit                     Soft Limit           Hard Limit           Units     ",
            "Max open files            1024                 4096                 files     "]).ShouldBe(1024);
        FileDescriptors.Allowed([]).ShouldBeNull();
        if (OperatingSystem.IsLinux())
            Should.Throw<CommandFailedException>(() => FileDescriptors.Check(long.MaxValue)).Message.ShouldContain("ulimit -n");
    }

    [Theory]
    [InlineData("a\r\nb", @"a\r\nb")]
    [InlineData("\u001b[2J\u0007", @"\u001b[2J\u0007")]
    [InlineData("\u202etxt\u2028\u0085", @"\u202etxt\u2028\u0085")]
    [InlineData("é😀 plain", "é😀 plain")]
    public void Text_of_a_caller_cannot_begin_a_line_or_move_the_cursor(string text, string shown) =>
        PlainText.Escape(text).ShouldBe(shown);
}
